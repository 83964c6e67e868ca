import { ByteReader, ByteWriter, DecodeError, type File, type Files } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { CorruptionError } from '../errors.ts';
import { BufferedWriter } from '../format/buffered-writer.ts';

/** Layout in `head-snapshot.md`. */
const MAGIC = 0x50584853;
const VERSION = 2;
const PREAMBLE_BYTES = 5;
/** A frame is a slice of the work; a single series may be larger than this. */
export const FRAME_BYTES = 64 * 1024;
/** A longer frame is damage. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** How this machine keeps the bytes of numbers in memory, which columns have in the file too: 1 is the lowest byte first. */
export const BYTE_ORDER = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 2;

export const FRAME = { start: 1, series: 2, record: 3, expiries: 4, end: 5 } as const;

export class FrameWriter {
  readonly #writer: BufferedWriter;

  /** Creates the file, which must not be there. */
  constructor(files: Files, path: string) {
    this.#writer = new BufferedWriter(files, path);
    this.#writer.fields((target) => {
      target.u32(MAGIC);
      target.u8(VERSION);
    });
  }

  get size(): number {
    return this.#writer.position;
  }

  /** `payload` begins with the kind. */
  frame(payload: Uint8Array): void {
    this.#writer.fields((target) => target.u32(payload.length));
    this.#writer.raw(payload);
    this.#writer.fields((target) => target.u32(crc32c(payload)));
  }

  /** As {@link frame}, of a small body. */
  small(kind: number, encode: (target: ByteWriter) => void): void {
    const target = new ByteWriter();
    target.u8(kind);
    encode(target);
    this.frame(target.bytes());
  }

  /** Resolves when all is on the disk; the file is closed. */
  finish(): Promise<void> {
    return this.#writer.finish();
  }

  abandon(): void {
    this.#writer.abandon();
  }
}

/** Reads the frames of a file from the first on. */
export class FrameReader {
  readonly #file: File;
  readonly #path: string;
  readonly #size: number;
  readonly #isChecked: boolean;
  #buffer = new Uint8Array(FRAME_BYTES * 8);
  #offset = PREAMBLE_BYTES;

  /**
   * `file` stays the caller's; `isChecked` says that its checksums were found right before. Throws CorruptionError when it is no
   * head snapshot.
   */
  constructor(file: File, path: string, isChecked = false) {
    this.#file = file;
    this.#isChecked = isChecked;
    this.#path = path;
    this.#size = file.size();
    const preamble = new ByteReader(this.#read(0, PREAMBLE_BYTES));
    if (preamble.u32() !== MAGIC || preamble.u8() !== VERSION) {
      throw new CorruptionError(path, `is no head snapshot of version ${VERSION}`);
    }
  }

  /** The next frame behind its kind, lent until the next call; null at the end. Throws CorruptionError. */
  next(): { readonly kind: number; readonly body: ByteReader } | null {
    if (this.#offset === this.#size) return null;
    const length = new ByteReader(this.#read(this.#offset, 4)).u32();
    if (length === 0 || length > MAX_FRAME_BYTES) this.#fail('a frame of impossible length');
    const bytes = this.#read(this.#offset + 4, length + 4);
    if (!this.#isChecked && crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32()) {
      this.#fail('wrong checksum');
    }
    this.#offset += length + 8;
    return { kind: bytes[0]!, body: new ByteReader(bytes, 1, length) };
  }

  #read(offset: number, length: number): Uint8Array {
    if (offset + length > this.#size) this.#fail('is cut off');
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const filled = this.#file.read(this.#buffer, 0, length, offset);
    if (filled < length) this.#fail('has shrunk');
    return this.#buffer.subarray(0, length);
  }

  #fail(what: string): never {
    throw new CorruptionError(`${this.#path} at ${this.#offset}`, what);
  }
}

/** Runs `decode`, whose frames had the right checksum; a DecodeError becomes one that names the file. */
export function decodingFrames<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CorruptionError(path, 'a frame does not decode', { cause });
  }
}
