import { type ByteWriter, crc32c, type Files } from '@pollux/base';
import { HISTOGRAM_ENCODING } from '@pollux/kernels';
import { BufferedWriter } from './buffered-writer.ts';

/** Layout in `chunk-file.md`. */
export const CHUNKS_MAGIC = 0x85bd40dd;
export const CHUNKS_VERSION = 1;
export const CHUNKS_HEADER_BYTES = 8;
export const MAX_CHUNK_BYTES = 64 * 1024 * 1024;
const MAX_FILE_BYTES = 512 * 1024 * 1024;

export const CHUNK_ENCODING = {
  none: 0,
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  xor2: 4,
  histogramWithStart: 5,
  floatHistogramWithStart: 6,
  /** Our own; far from what Prometheus may number next. */
  dense: 0xd0,
} as const;

/** Our own, of down-sampled data: no samples, and never in a block. */
export const BUCKETS_ENCODING = 0xb0;

export function isHistogramEncoding(encoding: number): boolean {
  return Object.values<number>(HISTOGRAM_ENCODING).includes(encoding);
}

/** A chunk's place in a block: file number from 0 × 2^32 + offset. Below 2^53, since files are few. */
export type BlockChunkRef = number;

export function chunkFileName(index: number): string {
  return String(index + 1).padStart(6, '0');
}

export function fileOfRef(ref: BlockChunkRef): number {
  return Math.floor(ref / 2 ** 32);
}

export function offsetOfRef(ref: BlockChunkRef): number {
  return ref % 2 ** 32;
}

/** Writes the chunk files of one block. */
export class ChunkFileWriter {
  readonly #files: Files;
  readonly #directory: string;
  readonly #maxFileBytes: number;
  readonly #checksum = new Uint8Array(1);
  #writer: BufferedWriter | null = null;
  #index = -1;

  /** `directory` exists and is empty. */
  constructor(files: Files, directory: string, maxFileBytes = MAX_FILE_BYTES) {
    this.#files = files;
    this.#directory = directory;
    this.#maxFileBytes = maxFileBytes;
  }

  /** Appends the chunk in `bytes[start, end)`. */
  async add(
    encoding: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): Promise<BlockChunkRef> {
    const size = end - start + 16;
    if (this.#writer === null || this.#writer.position + size > this.#maxFileBytes) {
      await this.#writer?.finish();
      this.#index++;
      const path = `${this.#directory}/${chunkFileName(this.#index)}`;
      this.#writer = new BufferedWriter(this.#files, path);
      this.#writer.fields(encodeHeader);
    }
    const writer = this.#writer;
    const ref = this.#index * 2 ** 32 + writer.position;
    this.#checksum[0] = encoding;
    const crc = crc32c(bytes, start, end, crc32c(this.#checksum));
    writer.fields((target) => {
      target.uvarint(end - start);
      target.u8(encoding);
      target.raw(bytes, start, end);
      target.u32(crc);
    });
    return ref;
  }

  async finish(): Promise<void> {
    await this.#writer?.finish();
  }

  abandon(): void {
    this.#writer?.abandon();
  }
}

function encodeHeader(target: ByteWriter): void {
  target.u32(CHUNKS_MAGIC);
  target.u8(CHUNKS_VERSION);
  target.zeros(3);
}
