import { ByteWriter, crc32c, type File, type Files } from '@pollux/base';
import type { ScanSource } from './file-scan.ts';

const BUFFER_BYTES = 256 * 1024;

/** Writes a new file from its beginning on, in large pieces. `fields` is for small parts; `raw` for borrowed bytes. */
export class BufferedWriter {
  readonly #file: File;
  readonly #buffer = new ByteWriter(BUFFER_BYTES + 4096);
  #flushed = 0;

  constructor(files: Files, path: string) {
    this.#file = files.open(path, 'wx');
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#flushed + this.#buffer.size;
  }

  raw(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#buffer.raw(bytes, start, end);
    if (this.#buffer.size >= BUFFER_BYTES) this.#flush();
  }

  /** Writes what `encode` puts into the target, and behind it the CRC-32C of all but its first `skip` bytes. */
  checked(encode: (target: ByteWriter) => void, skip: number): void {
    const start = this.#buffer.size;
    encode(this.#buffer);
    const bytes = this.#buffer.bytes();
    this.#buffer.u32(crc32c(bytes, start + skip, bytes.length));
    if (this.#buffer.size >= BUFFER_BYTES) this.#flush();
  }

  fields(encode: (target: ByteWriter) => void): void {
    encode(this.#buffer);
    if (this.#buffer.size >= BUFFER_BYTES) this.#flush();
  }

  /** As {@link fields}; returns `crc` continued over what was written. */
  summed(crc: number, encode: (target: ByteWriter) => void): number {
    const start = this.#buffer.size;
    encode(this.#buffer);
    const sum = crc32c(this.#buffer.bytes(), start, this.#buffer.size, crc);
    if (this.#buffer.size >= BUFFER_BYTES) this.#flush();
    return sum;
  }

  /** Zero bytes up to the next multiple of `unit`. */
  align(unit: number): void {
    const rest = this.position % unit;
    if (rest !== 0) this.#buffer.zeros(unit - rest);
  }

  /** Overwrites four bytes that were written before. */
  patchU32(position: number, value: number): void {
    this.#flush();
    const bytes = Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
    this.#file.write(bytes, 0, bytes.length, position);
  }

  /** What has been written so far, to be read back while more is written. */
  written(): ScanSource {
    this.#flush();
    return {
      size: this.#flushed,
      readInto: (target, length, position) => this.#file.read(target, 0, length, position),
    };
  }

  /** Flushes, syncs without holding the thread, and closes. */
  async finish(): Promise<void> {
    this.#flush();
    await this.#file.datasync();
    this.#file.close();
  }

  /** Closes without caring for the content. Idempotent, also after {@link finish}. */
  abandon(): void {
    this.#file.close();
  }

  #flush(): void {
    const bytes = this.#buffer.bytes();
    this.#file.write(bytes, 0, bytes.length, this.#flushed);
    this.#flushed += bytes.length;
    this.#buffer.reset();
  }
}
