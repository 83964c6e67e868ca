import * as zlib from 'node:zlib';
import { ByteReader, type File } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { ShardCorruptionError } from '../errors.ts';
import {
  DATA_MAGIC,
  DATA_VERSION,
  FOOTER_BYTES,
  HEADER_BYTES,
  MAX_BLOCK_BYTES,
  OLDEST_DATA_VERSION,
  PAGE_CODEC_DEFLATE,
  PAGE_HEADER_BYTES,
} from './data-format.ts';

/** Deflate makes no more than so many bytes of one. */
const MAX_INFLATION = 1032;

/** Reads checked blocks of a data file by position. */
export class BlockReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly version: number;
  /** Where the index begins. */
  readonly indexOffset: number;
  readonly #file: File;

  /** Throws ShardCorruptionError when header or footer are not those of a data file. */
  constructor(file: File, path: string) {
    this.#file = file;
    this.path = path;
    this.sizeBytes = file.size();
    const head = new Uint8Array(HEADER_BYTES);
    const foot = new Uint8Array(FOOTER_BYTES);
    if (this.sizeBytes < HEADER_BYTES + FOOTER_BYTES)
      throw new ShardCorruptionError(path, 'is too short');
    this.#readFully(head, HEADER_BYTES, 0);
    this.#readFully(foot, FOOTER_BYTES, this.sizeBytes - FOOTER_BYTES);
    for (let i = 0; i < DATA_MAGIC.length; i++) {
      if (head[i] !== DATA_MAGIC[i] || foot[8 + i] !== DATA_MAGIC[i]) {
        throw new ShardCorruptionError(path, 'is no data file of this store');
      }
    }
    this.version = head[8]!;
    if (this.version < OLDEST_DATA_VERSION || this.version > DATA_VERSION) {
      throw new ShardCorruptionError(
        path,
        `has format version ${this.version}, this program reads ${OLDEST_DATA_VERSION} to ${DATA_VERSION}`,
      );
    }
    this.indexOffset = new ByteReader(foot).i64();
  }

  /** The content of the block at `offset`. Throws ShardCorruptionError. */
  read(offset: number): Uint8Array {
    const head = new Uint8Array(PAGE_HEADER_BYTES);
    this.#readFully(head, PAGE_HEADER_BYTES, offset);
    const reader = new ByteReader(head);
    const rawLength = reader.u32();
    const storedLength = reader.u32();
    const checksum = reader.u32();
    const codec = reader.u8();
    if (rawLength > MAX_BLOCK_BYTES || offset + PAGE_HEADER_BYTES + storedLength > this.sizeBytes) {
      throw new ShardCorruptionError(this.path, `block at byte ${offset} has impossible lengths`);
    }
    const stored = new Uint8Array(storedLength);
    this.#readFully(stored, storedLength, offset + PAGE_HEADER_BYTES);
    if (crc32c(stored) !== checksum)
      throw new ShardCorruptionError(this.path, `checksum of the block at byte ${offset} is wrong`);
    if (codec !== PAGE_CODEC_DEFLATE) return stored;
    // In one piece, for the reason that the writer gives.
    const roomBytes = Math.min(rawLength, stored.length * MAX_INFLATION) + 1;
    return zlib.inflateRawSync(stored, {
      maxOutputLength: Math.max(1, rawLength),
      chunkSize: Math.max(zlib.constants.Z_MIN_CHUNK, roomBytes),
    });
  }

  #readFully(target: Uint8Array, length: number, position: number): void {
    const count = this.#file.read(target, 0, length, position);
    if (count === length) return;
    throw new ShardCorruptionError(
      this.path,
      `the disk gave ${count} of ${length} bytes at byte ${position}`,
    );
  }

  close(): void {
    this.#file.close();
  }
}
