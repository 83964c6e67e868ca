import { ByteReader, crc32c, DecodeError, type File, type Files } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import type { Slices } from '../slices.ts';
import {
  decodePrefix,
  ENTRY_PREFIX_MAX_BYTES,
  HEAD_CHUNKS_HEADER_BYTES,
  type HeadChunkEntry,
  headChunkFileName,
  headChunkFileNumber,
  isFileHeader,
} from './entry.ts';
import type { HeadChunkPlace } from './place.ts';

export type ScanOptions = {
  readonly files: Files;
  readonly directory: string;
  readonly slices: Slices;
  /** Called for each whole entry in order. */
  readonly onChunk: (entry: HeadChunkEntry, place: HeadChunkPlace, checksum: number) => void;
};

export type ScanResult = {
  /** Files with chunks, oldest first; numbers without a hole. Only `size` bytes of each are good. */
  readonly files: readonly { readonly number: number; readonly size: number }[];
  /** The first place that is not as it must be; nothing behind it was read. Null when all is well. */
  readonly damage: CorruptionError | null;
  /** Behind the last whole entry. */
  readonly end: HeadChunkPlace;
};

const WINDOW_BYTES = 1024 * 1024;
const CRC_BYTES = 4;
const REFERENCE_BYTES = 8;

/**
 * Reads all head chunk files from the first to the last entry that is whole; changes nothing. The end of the last file may
 * be torn: that is damage like any other, and what {@link dropDamage} is for.
 */
export async function scanHeadChunks(options: ScanOptions): Promise<ScanResult> {
  const { files, directory } = options;
  const found: { number: number; size: number }[] = [];
  let damage: CorruptionError | null = null;
  for (const number of listHeadChunkFiles(files, directory)) {
    const previous = found.at(-1);
    const path = `${directory}/${headChunkFileName(number)}`;
    if (previous !== undefined && number !== previous.number + 1) {
      damage = new CorruptionError(path, 'the head chunk file before it is missing');
      break;
    }
    const file = files.open(path, 'r');
    let size = 0;
    try {
      const result = await scanFile(options, { file, number, path });
      size = result.size;
      damage = result.damage;
    } finally {
      file.close();
    }
    if (size > 0) found.push({ number, size });
    if (damage !== null) break;
  }
  const last = found.at(-1);
  const end = { file: last?.number ?? 0, offset: last?.size ?? 0 };
  return { files: found, damage, end };
}

/** Cuts off and removes what the scan has not read, so that the next scan finds no damage. */
export function dropDamage(files: Files, directory: string, result: ScanResult): void {
  if (result.damage === null) return;
  for (const number of listHeadChunkFiles(files, directory)) {
    const path = `${directory}/${headChunkFileName(number)}`;
    const kept = result.files.find((file) => file.number === number);
    if (kept === undefined) {
      files.remove(path);
      continue;
    }
    if (number !== result.end.file) continue;
    const file = files.open(path, 'r+');
    try {
      file.truncate(kept.size);
      file.sync();
    } finally {
      file.close();
    }
  }
  files.syncDirectory(directory);
}

function listHeadChunkFiles(files: Files, directory: string): number[] {
  return files
    .list(directory)
    .map(headChunkFileNumber)
    .filter((number) => number >= 0)
    .sort((a, b) => a - b);
}

async function scanFile(
  options: ScanOptions,
  source: { readonly file: File; readonly number: number; readonly path: string },
): Promise<{ size: number; damage: CorruptionError | null }> {
  const { file, number, path } = source;
  const total = file.size();
  const window = new Window(file, total);
  if (!isFileHeader(new ByteReader(window.from(0, HEAD_CHUNKS_HEADER_BYTES)))) {
    return { size: 0, damage: new CorruptionError(path, 'is no head chunk file of version 1') };
  }
  let offset = HEAD_CHUNKS_HEADER_BYTES;
  let damage: CorruptionError | null = null;
  while (offset < total && damage === null) {
    if (window.isZeroFrom(offset)) break;
    try {
      const prefix = decodePrefix(new ByteReader(window.from(offset, ENTRY_PREFIX_MAX_BYTES)));
      const needed = prefix.end + CRC_BYTES;
      const bytes = window.from(offset, needed);
      if (bytes.length < needed) throw new DecodeError('a chunk is cut off', offset);
      const checksum = new ByteReader(bytes, prefix.end).u32();
      if (crc32c(bytes, 0, prefix.end) !== checksum) {
        throw new DecodeError('wrong checksum', offset);
      }
      options.onChunk(prefix, { file: number, offset }, checksum);
      offset += needed;
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      damage = new CorruptionError(`${path} at ${offset}`, cause.message, { cause });
    }
    if (options.slices.isOver) await options.slices.pause();
  }
  return { size: offset, damage };
}

/** A part of the file in memory that moves forward. */
class Window {
  readonly #file: File;
  readonly #total: number;
  #buffer = new Uint8Array(WINDOW_BYTES);
  #start = 0;
  #filled = 0;

  constructor(file: File, total: number) {
    this.#file = file;
    this.#total = total;
  }

  /** The bytes from `offset` on, `length` of them or fewer at the end of the file; lent until the next call. */
  from(offset: number, length: number): Uint8Array {
    const wanted = Math.min(length, this.#total - offset);
    if (offset < this.#start || offset + wanted > this.#start + this.#filled) {
      if (wanted > this.#buffer.length) this.#buffer = new Uint8Array(wanted);
      const count = Math.min(this.#buffer.length, this.#total - offset);
      this.#filled = this.#file.read(this.#buffer, 0, count, offset);
      this.#start = offset;
    }
    const at = offset - this.#start;
    return this.#buffer.subarray(at, Math.min(at + wanted, this.#filled));
  }

  /**
   * Whether nothing but zeros follows, enough of them not to be the beginning of a torn entry: no reference is 0, so a whole
   * entry is told by its first bytes.
   */
  isZeroFrom(offset: number): boolean {
    const first = this.from(offset, REFERENCE_BYTES);
    if (first.length < REFERENCE_BYTES || first.some((byte) => byte !== 0)) return false;
    for (let at = offset; at < this.#total; at += WINDOW_BYTES) {
      const bytes = this.from(at, WINDOW_BYTES);
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
    }
    return true;
  }
}
