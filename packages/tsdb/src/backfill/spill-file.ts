import { ByteWriter, DecodeError, type File, type Files } from '@pollux/base';
import { Labels } from '@pollux/model';

/** Layout in `spill-file.md`. A part of the file: the series of one run in one range of time. */
export type SpillSection = {
  /** Number of the range: all times divided by its length, rounded down. */
  readonly range: number;
  readonly start: number;
  readonly end: number;
  readonly minMs: number;
  readonly maxMs: number;
};

const FLUSH_BYTES = 1024 * 1024;

/** Appends series to the spill file. */
export class SpillWriter {
  readonly #file: File;
  readonly #buffer = new ByteWriter(FLUSH_BYTES + 64 * 1024);
  #flushed = 0;

  constructor(files: Files, path: string) {
    this.#file = files.open(path, 'wx');
  }

  get position(): number {
    return this.#flushed + this.#buffer.size;
  }

  /** `data` holds the series' chunks, each behind its length. */
  series(labels: Labels, data: Uint8Array): void {
    const target = this.#buffer;
    const head = new ByteWriter(256);
    head.uvarint(labels.size);
    for (let i = 0; i < labels.size; i++) {
      head.uvarintText(labels.nameAt(i));
      head.uvarintText(labels.valueAt(i));
    }
    target.uvarint(head.size);
    target.raw(head.bytes());
    target.uvarint(data.length);
    target.raw(data);
    if (target.size >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    const bytes = this.#buffer.bytes();
    this.#file.write(bytes, 0, bytes.length, this.#flushed);
    this.#flushed += bytes.length;
    this.#buffer.reset();
  }

  close(): void {
    this.#file.close();
  }
}

/** Reads one section through a window of its own. Bytes it gives are lent until the next call. */
export class SectionReader {
  readonly #file: File;
  readonly #end: number;
  #buffer: Uint8Array;
  #bufferStart: number;
  #filled = 0;
  #at: number;

  constructor(file: File, section: SpillSection, bufferBytes: number) {
    this.#file = file;
    this.#end = section.end;
    this.#at = section.start;
    this.#bufferStart = section.start;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  get position(): number {
    return this.#at;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.bytes(1)[0]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new DecodeError('varint out of range', this.#at);
  }

  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#end) throw new DecodeError('spill section too short', this.#at);
    if (this.#at + length > this.#bufferStart + this.#filled) this.#fill(length);
    const from = this.#at - this.#bufferStart;
    this.#at += length;
    return this.#buffer.subarray(from, from + length);
  }

  skip(length: number): void {
    this.#at += length;
  }

  /** The labels of the series that begins here; its chunks follow. */
  labels(): Labels {
    const end = this.uvarint() + this.#at;
    const flat: string[] = [];
    for (let left = this.uvarint() * 2; left > 0; left--) flat.push(this.#text());
    if (this.#at !== end) throw new DecodeError('spilled labels end elsewhere', this.#at);
    return Labels.fromSortedFlat(flat);
  }

  #text(): string {
    const length = this.uvarint();
    return Buffer.from(this.bytes(length)).toString('utf8');
  }

  #fill(length: number): void {
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const wanted = Math.min(this.#buffer.length, this.#end - this.#at);
    this.#bufferStart = this.#at;
    this.#filled = this.#file.read(this.#buffer, 0, wanted, this.#at);
    if (this.#filled < length) throw new DecodeError('the spill file has shrunk', this.#at);
  }
}
