import { type ByteReader, type ByteWriter, DecodeError } from '@pollux/base';

/** Series of one frame at most. */
export const FRAME_ROWS = 1024;

/** What a series' row says of its open chunk. */
export const SERIES_FLAG = { floats: 1, histograms: 2, floatsWithStart: 4 } as const;

/** Behind a chunk of floats with start timestamps: {@link StartState}. */
const START_STATE_BYTES = 17;

/** Copying fewer bytes by a loop takes less than a call. */
const SMALL_BYTES = 64;

/** Open chunks of floats with the states of their writers, a row each. */
export type OpenFloats = {
  readonly minMs: Float64Array;
  readonly cutMs: Float64Array;
  readonly newestMs: Float64Array;
  readonly deltaMs: Float64Array;
  /** Word 2i is the low, 2i+1 the high half of the newest value of row i. */
  readonly valueWords: Uint32Array;
  readonly bitLengths: Uint16Array;
  readonly leading: Uint8Array;
  readonly trailing: Uint8Array;
};

/** Of the newest sample: its start timestamp, that one's distance from the sample before, whether it is a stale marker. */
export type StartState = {
  readonly startMs: number;
  readonly distanceMs: number;
  readonly isStale: boolean;
};

export function readStartState(source: Uint8Array, start: number): StartState {
  const view = new DataView(source.buffer, source.byteOffset + start, START_STATE_BYTES);
  return {
    startMs: view.getFloat64(0),
    distanceMs: view.getFloat64(8),
    isStale: view.getUint8(16) === 1,
  };
}

/**
 * The series of one frame as columns, which lie in the file as they lie in memory, so that neither side looks at them one
 * by one. Labels are numbers of texts; of those a row names only what differs from the row before it at the same position,
 * since neighbours share most. Layout: `head-snapshot.md`.
 */
export class SeriesRows implements OpenFloats {
  count = 0;
  readonly refs = new Uint32Array(FRAME_ROWS);
  readonly flags = new Uint8Array(FRAME_ROWS);
  /** Numbers of each row's labels: two a label. */
  readonly sizes = new Uint32Array(FRAME_ROWS);
  readonly minMs = new Float64Array(FRAME_ROWS);
  readonly cutMs = new Float64Array(FRAME_ROWS);
  readonly newestMs = new Float64Array(FRAME_ROWS);
  readonly deltaMs = new Float64Array(FRAME_ROWS);
  readonly valueWords = new Uint32Array(FRAME_ROWS * 2);
  readonly bitLengths = new Uint16Array(FRAME_ROWS);
  readonly leading = new Uint8Array(FRAME_ROWS);
  readonly trailing = new Uint8Array(FRAME_ROWS);
  /** Bytes of the open chunks of floats, one behind the other. */
  data: Uint8Array = new Uint8Array(FRAME_ROWS * 64);
  /** What the labels of the last row that was put or read are to the caller, name, value, name, value … */
  labels = new Uint32Array(64);

  /** A bit for each number of a row, set where it differs; rows begin with a byte of their own. */
  #marks: Uint8Array = new Uint8Array(FRAME_ROWS * 2);
  #numbers: Uint32Array = new Uint32Array(FRAME_ROWS * 4);
  #markCount = 0;
  #numberCount = 0;
  #dataBytes = 0;
  /** Of what was read. */
  #numberLimit = 0;
  readonly #columns: readonly { readonly bytes: Uint8Array; readonly rowBytes: number }[] = [
    this.refs,
    this.flags,
    this.sizes,
    this.minMs,
    this.cutMs,
    this.newestMs,
    this.deltaMs,
    this.valueWords,
    this.bitLengths,
    this.leading,
    this.trailing,
  ].map(({ buffer, byteLength }) => ({
    bytes: new Uint8Array(buffer),
    rowBytes: byteLength / FRAME_ROWS,
  }));

  get isFull(): boolean {
    return this.count === FRAME_ROWS;
  }

  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Before the first row of a frame is put. */
  clear(): void {
    this.count = 0;
    this.#markCount = 0;
    this.#numberCount = 0;
    this.#dataBytes = 0;
    this.labels.fill(0);
  }

  /**
   * Begins a row, whose labels the writer knows by symbols above 0; `numberOf` gives the file's numbers of those. Returns the
   * row; its chunk is still the last one's.
   */
  put(ref: number, symbols: Uint32Array, numberOf: (symbol: number) => number): number {
    const size = symbols.length;
    const row = this.count++;
    this.refs[row] = ref;
    this.sizes[row] = size;
    this.#reserve(size);
    const { labels } = this;
    let mark = 0;
    for (let i = 0; i < size; i++) {
      const symbol = symbols[i]!;
      if (labels[i] !== symbol) {
        labels[i] = symbol;
        this.#numbers[this.#numberCount++] = numberOf(symbol);
        mark |= 1 << (i & 7);
      }
      if ((i & 7) === 7 || i === size - 1) {
        this.#marks[this.#markCount++] = mark;
        mark = 0;
      }
    }
    return row;
  }

  putData(source: Uint8Array, start: number, length: number): void {
    const at = this.#dataBytes;
    this.#dataBytes = at + length;
    if (this.#dataBytes > this.data.length) {
      const grown = new Uint8Array(this.#dataBytes * 2);
      grown.set(this.data);
      this.data = grown;
    }
    const { data } = this;
    if (length > SMALL_BYTES) data.set(source.subarray(start, start + length), at);
    else for (let i = 0; i < length; i++) data[at + i] = source[start + i]!;
  }

  putStartState({ startMs, distanceMs, isStale }: StartState): void {
    const state = new DataView(new ArrayBuffer(START_STATE_BYTES));
    state.setFloat64(0, startMs);
    state.setFloat64(8, distanceMs);
    state.setUint8(16, isStale ? 1 : 0);
    this.putData(new Uint8Array(state.buffer), 0, START_STATE_BYTES);
  }

  /** Bytes of the row in {@link data}. */
  dataBytesOf(row: number): number {
    const flag = this.flags[row]!;
    const isPlain = flag === SERIES_FLAG.floats;
    if (!isPlain && flag !== SERIES_FLAG.floatsWithStart) return 0;
    return ((this.bitLengths[row]! + 7) >>> 3) + (isPlain ? 0 : START_STATE_BYTES);
  }

  encode(target: ByteWriter): void {
    target.uvarint(this.count);
    for (const { bytes, rowBytes } of this.#columns) target.raw(bytes, 0, rowBytes * this.count);
    target.uvarint(this.#markCount);
    target.raw(this.#marks, 0, this.#markCount);
    target.uvarint(this.#numberCount);
    target.raw(new Uint8Array(this.#numbers.buffer), 0, this.#numberCount * 4);
    target.uvarint(this.#dataBytes);
    target.raw(this.data, 0, this.#dataBytes);
  }

  /** Takes the rows that the source stands before. Throws DecodeError when they do not go together. */
  decode(source: ByteReader): void {
    this.clear();
    const count = source.uvarint();
    if (count > FRAME_ROWS) throw new DecodeError('more series than a frame has', source.offset);
    for (const { bytes, rowBytes } of this.#columns) bytes.set(source.raw(rowBytes * count));
    const marks = source.raw(source.uvarint());
    const numbers = source.raw(source.uvarint() * 4);
    this.data = source.raw(source.uvarint());
    this.#reserve(Math.max(marks.length, numbers.length / 4));
    this.#marks.set(marks);
    new Uint8Array(this.#numbers.buffer).set(numbers);
    this.#numberLimit = numbers.length / 4;
    let markCount = 0;
    let dataBytes = 0;
    for (let row = 0; row < count; row++) {
      if (this.sizes[row]! % 2 !== 0) throw new DecodeError('half a label', source.offset);
      markCount += (this.sizes[row]! + 7) >>> 3;
      dataBytes += this.dataBytesOf(row);
    }
    if (markCount !== marks.length || dataBytes !== this.data.length) {
      throw new DecodeError('rows and their bytes do not go together', source.offset);
    }
    this.count = count;
  }

  /**
   * Brings {@link labels} from those of the row before to those of this one, `symbols[n]` for the file's number n of `known`. To be
   * called once for each row, in order. Throws DecodeError.
   */
  readLabels(row: number, symbols: Uint32Array, known: number): void {
    const size = this.sizes[row]!;
    if (size > this.labels.length) this.#growLabels(size);
    const { labels } = this;
    let mark = 0;
    for (let i = 0; i < size; i++) {
      if ((i & 7) === 0) mark = this.#marks[this.#markCount++]!;
      if (((mark >>> (i & 7)) & 1) === 0) continue;
      const isGiven = this.#numberCount < this.#numberLimit;
      const number = isGiven ? this.#numbers[this.#numberCount++]! : 0;
      if (number === 0 || number > known) throw new DecodeError('a text without a number', row);
      labels[i] = symbols[number]!;
    }
  }

  #reserve(size: number): void {
    if (size > this.labels.length) this.#growLabels(size);
    if (this.#markCount + size > this.#marks.length) {
      const grown = new Uint8Array((this.#markCount + size) * 2);
      grown.set(this.#marks);
      this.#marks = grown;
    }
    if (this.#numberCount + size > this.#numbers.length) {
      const grown = new Uint32Array((this.#numberCount + size) * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
  }

  #growLabels(size: number): void {
    const grown = new Uint32Array(size * 2);
    grown.set(this.labels);
    this.labels = grown;
  }
}
