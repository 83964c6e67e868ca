import { type Labels, xxh64 } from '@pollux/model';

/** XXH64 over Prometheus' in-memory form of labels: each name and value behind its length. */
export function labelsHash(labels: Labels): bigint {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  const add = (text: string): void => {
    const encoded = encoder.encode(text);
    // One byte holds a length below 255; longer ones follow 255 in three bytes, low first.
    if (encoded.length < 255) bytes.push(encoded.length);
    else
      bytes.push(
        255,
        encoded.length & 0xff,
        (encoded.length >> 8) & 0xff,
        (encoded.length >> 16) & 0xff,
      );
    for (const byte of encoded) bytes.push(byte);
  };
  for (const [name, value] of labels) {
    add(name);
    add(value);
  }
  return xxh64(Uint8Array.from(bytes));
}
