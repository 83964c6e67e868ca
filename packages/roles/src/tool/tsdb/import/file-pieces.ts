import { type File, type Files, InputError } from '@pollux/base';

const PIECE_BYTES = 1024 * 1024;
/** A longer line is no line of any of the formats. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/** A text file in pieces of whole lines, so that it need not fit into memory. */
export class FilePieces {
  readonly path: string;
  readonly totalBytes: number;
  readonly #file: File | null;
  #rest: Uint8Array;
  #at = 0;
  #lines = 0;
  #piece: Uint8Array = new Uint8Array(0);

  /** Throws the system's error when the file cannot be read. */
  constructor(files: Files, path: string) {
    this.path = path;
    const { size } = files.stat(path);
    if (size > 0) {
      this.#file = files.open(path, 'r');
      this.#rest = new Uint8Array(0);
      this.totalBytes = size;
    } else {
      // A pipe has no size and cannot be read by position.
      this.#file = null;
      this.#rest = files.readFile(path);
      this.totalBytes = this.#rest.length;
    }
  }

  /** Bytes given so far. */
  get doneBytes(): number {
    return this.#at - this.#rest.length;
  }

  /** Lines before the piece given last. */
  get linesBefore(): number {
    return this.#lines;
  }

  /** The next whole lines, or null at the end; the last line of the file may lack its newline. */
  next(): Uint8Array | null {
    for (let at = this.#piece.indexOf(NEWLINE); at >= 0; at = this.#piece.indexOf(NEWLINE, at + 1))
      this.#lines++;
    this.#piece = this.#nextPiece();
    return this.#piece.length === 0 ? null : this.#piece;
  }

  close(): void {
    this.#file?.close();
  }

  #nextPiece(): Uint8Array {
    if (this.#file === null) {
      const whole = this.#rest;
      this.#at += whole.length;
      this.#rest = new Uint8Array(0);
      return whole;
    }
    let wanted = PIECE_BYTES;
    for (;;) {
      const room = new Uint8Array(this.#rest.length + wanted);
      room.set(this.#rest);
      const filled = this.#file.read(room, this.#rest.length, wanted, this.#at);
      this.#at += filled;
      const bytes = room.subarray(0, this.#rest.length + filled);
      if (filled === 0) {
        this.#rest = new Uint8Array(0);
        return bytes;
      }
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      this.#rest = bytes.subarray(end);
      if (end > 0) return bytes.subarray(0, end);
      if (bytes.length > MAX_LINE_BYTES) {
        throw new InputError(
          'ROLES.LONG_LINE',
          `${this.path}, line ${this.#lines + 1}`,
          `is longer than ${MAX_LINE_BYTES} bytes`,
        );
      }
      wanted = bytes.length;
    }
  }
}
