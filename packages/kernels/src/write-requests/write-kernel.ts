import { assert } from '@pollux/base';

/**
 * The receiving side of remote write in WebAssembly (`assembly/write-requests.ts`): a memory that holds one message, hashes of the
 * series seen before, and the columns of a walk. Its TypeScript reference is the plain decoder of `remote`.
 */

/** Elements of the columns that one walk fills. */
export const WRITE_COLUMNS = 8192;
/** A compressed message of so many bytes fits, and one that decodes to so many. */
export const WRITE_COMPRESSED_BYTES = 1024 * 1024;
export const WRITE_DECODED_BYTES = 4 * 1024 * 1024;
/** Copies by whole vectors may touch so many bytes behind a region. */
const SPARE_BYTES = 64;
/** Series that a kernel can remember: a slot has 22 bits for them. */
const MAX_SERIES = 2 ** 22 - 1;
const ENTRY_BYTES = 24;
const SLOT_BYTES = 4;
const LEAST_SLOTS = 1024;
const KEY_BYTES = 2048;
const PAGE_BYTES = 65_536;

export type WriteKernelOptions = {
  /** Four secret words: whoever knows them can choose labels that collide. */
  readonly seed: readonly [number, number, number, number];
  /** Series that are remembered before all are forgotten; at most, and without it, {@link MAX_SERIES}. */
  readonly maxSeries?: number;
};

type Exports = {
  placeMessage(compressed: number, decoded: number): void;
  placeColumns(
    labelStarts: number,
    labelEnds: number,
    seriesRefs: number,
    sampleSeries: number,
    timestamps: number,
    values: number,
    capacity: number,
  ): void;
  placeTable(entries: number, maxEntries: number, slots: number): void;
  keyBytes(): number;
  seed(a: number, b: number, c: number, d: number, keys: number): void;
  seriesCount(): number;
  sampleCount(): number;
  size(): number;
  decompress(bytes: number, room: number): number;
  walk(from: number, end: number, firstSeries: number): number;
  refOf(at: number, bytes: number): number;
  setRef(at: number, bytes: number, ref: number): void;
  clear(): void;
  forgetPrint(): void;
};

/** The part of the runtime's WebAssembly that is used; Node's types have no values for it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Where the build puts the module, seen from this folder in `src` and in `dist` alike. */
const BUILT = '../../dist/wasm/write-requests.js';
const MODULE = await load();

/** The compiled module, or null where there is none: sources that were never built, or a runtime without SIMD. */
async function load(): Promise<object | null> {
  try {
    const { wasm } = (await import(/* @vite-ignore */ new URL(BUILT, import.meta.url).href)) as {
      readonly wasm: string;
    };
    return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
  } catch {
    return null;
  }
}

/** Null where there is no WebAssembly with SIMD, or where the system does not give the addresses. */
export function createWriteKernel(options: WriteKernelOptions): WriteKernel | null {
  if (MODULE === null) return null;
  try {
    return new WriteKernel(MODULE, options);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * One receiver's memory. All of it is reserved at once, some 140 MB of addresses; the system gives what is used: 32 to 40
 * bytes a series. It never grows, so the views stay valid. Columns are lent until the next walk, the message until the next one.
 */
export class WriteKernel {
  readonly decoded: Uint8Array;
  readonly labelStarts: Uint32Array;
  readonly labelEnds: Uint32Array;
  /** 0 = not known. */
  readonly seriesRefs: Uint32Array;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  /** Low and high word of each value. */
  readonly valueWords: Uint32Array;
  readonly #compressed: Uint8Array;
  readonly #exports: Exports;
  /** The part of the memory that was asked for last: asking it for its place takes long. */
  #inside: Uint8Array | null = null;
  #insideAt = 0;

  constructor(module: object, { seed, maxSeries = MAX_SERIES }: WriteKernelOptions) {
    // The module's own few variables are on the first page.
    let size = PAGE_BYTES;
    const reserve = (bytes: number): number => {
      const at = size;
      size = Math.ceil((size + bytes + SPARE_BYTES) / 64) * 64;
      return at;
    };
    const compressed = reserve(WRITE_COMPRESSED_BYTES);
    const decoded = reserve(WRITE_DECODED_BYTES);
    const words = Array.from({ length: 4 }, () => reserve(WRITE_COLUMNS * 4));
    const [labelStarts = 0, labelEnds = 0, seriesRefs = 0, sampleSeries = 0] = words;
    const timestamps = reserve(WRITE_COLUMNS * 8);
    const values = reserve(WRITE_COLUMNS * 8);
    const entries = reserve(maxSeries * ENTRY_BYTES);
    const slots = reserve(
      Math.max(LEAST_SLOTS, 2 ** Math.ceil(Math.log2(maxSeries * 2))) * SLOT_BYTES,
    );
    const keys = reserve(KEY_BYTES);
    const pages = Math.ceil(size / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    const exports = instance.exports as Exports;
    exports.placeMessage(compressed, decoded);
    exports.placeColumns(
      labelStarts,
      labelEnds,
      seriesRefs,
      sampleSeries,
      timestamps,
      values,
      WRITE_COLUMNS,
    );
    exports.placeTable(entries, maxSeries, slots);
    assert(exports.keyBytes() <= KEY_BYTES, 'room for the keys of the kernel');
    exports.seed(...seed, keys);
    const { buffer } = memory;
    this.#exports = exports;
    this.#compressed = new Uint8Array(buffer, compressed, WRITE_COMPRESSED_BYTES);
    this.decoded = new Uint8Array(buffer, decoded, WRITE_DECODED_BYTES);
    this.labelStarts = new Uint32Array(buffer, labelStarts, WRITE_COLUMNS);
    this.labelEnds = new Uint32Array(buffer, labelEnds, WRITE_COLUMNS);
    this.seriesRefs = new Uint32Array(buffer, seriesRefs, WRITE_COLUMNS);
    this.sampleSeries = new Uint32Array(buffer, sampleSeries, WRITE_COLUMNS);
    this.timestampsMs = new Float64Array(buffer, timestamps, WRITE_COLUMNS);
    this.valueWords = new Uint32Array(buffer, values, WRITE_COLUMNS * 2);
  }

  /** Series that are remembered. */
  get size(): number {
    return this.#exports.size();
  }

  /** Series and samples in the columns. */
  get seriesCount(): number {
    return this.#exports.seriesCount();
  }

  get sampleCount(): number {
    return this.#exports.sampleCount();
  }

  /** Opens a snappy block of at most {@link WRITE_COMPRESSED_BYTES} into `decoded`; returns its length, −1 when it is malformed or too long. */
  decompress(block: Uint8Array): number {
    this.#compressed.set(block);
    return this.#exports.decompress(block.length, WRITE_DECODED_BYTES);
  }

  /**
   * Takes series from `decoded[from, end)`, numbering them from `firstSeries` on, and returns where it stopped: at the end,
   * with full columns, or at a field in a form that it leaves to others.
   */
  walk(from: number, end: number, firstSeries: number): number {
    return this.#exports.walk(from, end, firstSeries);
  }

  /** The reference of the series with these label bytes, or 0. Bytes of `decoded` are not copied. */
  find(data: Uint8Array, start: number, end: number): number {
    const at = this.#addressOf(data, start, end);
    return at === 0 ? 0 : this.#exports.refOf(at, end - start);
  }

  /** Remembers or replaces; `ref` 0 forgets. When full, all is forgotten first. Labels over 1 MiB in other memory than `decoded` are not remembered. */
  set(data: Uint8Array, start: number, end: number, ref: number): void {
    const at = this.#addressOf(data, start, end);
    if (at !== 0) this.#exports.setRef(at, end - start, ref);
  }

  clear(): void {
    this.#exports.clear();
  }

  /** Where the kernel sees the bytes: in place, or in a copy over the compressed message, which has been read by then. 0: nowhere. */
  #addressOf(data: Uint8Array, start: number, end: number): number {
    if (data === this.#inside) return this.#insideAt + start;
    if (data.buffer === this.decoded.buffer) {
      this.#inside = data;
      this.#insideAt = data.byteOffset;
      return this.#insideAt + start;
    }
    if (end - start > WRITE_COMPRESSED_BYTES) return 0;
    this.#compressed.set(data.subarray(start, end));
    this.#exports.forgetPrint();
    return this.#compressed.byteOffset;
  }
}
