import { crc32c, DecodeError } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import {
  type BlockChunkRef,
  fileOfRef,
  MAX_CHUNK_BYTES,
  offsetOfRef,
} from '../format/chunk-file.ts';
import { FileScan, type ScanSource } from '../format/file-scan.ts';

/** A chunk as it lies in its file; `bytes` is lent and must not be changed. */
type StoredChunk = { readonly encoding: number; readonly bytes: Uint8Array };

/** Reads the chunks of a block in the order in which they lie, past the cache; what it gives is lent until the next. */
export class ChunkScan {
  readonly #sources: readonly ScanSource[];
  readonly #place: string;
  #scan: FileScan | null = null;
  #file = -1;

  constructor(sources: readonly ScanSource[], place: string) {
    this.#sources = sources;
    this.#place = place;
  }

  /** Throws CorruptionError. References in falling order are right too, but slow. */
  read(ref: BlockChunkRef): StoredChunk {
    const place = `${this.#place}, reference ${ref}`;
    const file = fileOfRef(ref);
    const source = this.#sources[file];
    if (source === undefined) throw new CorruptionError(place, 'no such chunk file');
    if (this.#scan === null || this.#file !== file) {
      this.#scan = new FileScan(source);
      this.#file = file;
    }
    const scan = this.#scan;
    try {
      scan.seek(offsetOfRef(ref));
      const length = scan.uvarint();
      if (length > MAX_CHUNK_BYTES) throw new CorruptionError(place, 'chunk too long');
      const entry = scan.bytes(length + 5);
      const at = length + 1;
      const expected =
        ((entry[at]! << 24) | (entry[at + 1]! << 16) | (entry[at + 2]! << 8) | entry[at + 3]!) >>>
        0;
      if (crc32c(entry, 0, at) !== expected) throw new CorruptionError(place, 'wrong checksum');
      return { encoding: entry[0]!, bytes: entry.subarray(1, at) };
    } catch (cause) {
      if (cause instanceof DecodeError) {
        throw new CorruptionError(place, 'does not decode', { cause });
      }
      throw cause;
    }
  }
}
