/** Sizes and names of the log's files; the layout is in `wal.md`. */
export const PAGE_BYTES = 32 * 1024;
export const SEGMENT_BYTES = 128 * 1024 * 1024;
export const FRAGMENT_HEADER_BYTES = 7;

/** Low three bits of a fragment's first byte. */
export const FRAGMENT = { pad: 0, full: 1, first: 2, middle: 3, last: 4 } as const;
export const SNAPPY_FLAG = 0x08;
export const ZSTD_FLAG = 0x10;

/** A place in the log: the byte `offset` of the segment with this number. */
export type WalPosition = { readonly segment: number; readonly offset: number };

export function segmentName(index: number): string {
  return String(index).padStart(8, '0');
}

/** The number in a segment's file name, or −1 for other files. */
export function segmentIndex(name: string): number {
  return /^\d{8,}$/.test(name) ? Number(name) : -1;
}

export function checkpointName(index: number): string {
  return `checkpoint.${segmentName(index)}`;
}

export function checkpointIndex(name: string): number {
  const match = /^checkpoint\.(\d{6,})$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}
