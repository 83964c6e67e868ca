import { hashableBytes, type Labels, xxh64 } from '@pollux/model';

/** The hash by which the notification log of every member knows an alert: XXH64 over the label bytes. */
export function alertHash(labels: Labels): bigint {
  return xxh64(hashableBytes(labels));
}
