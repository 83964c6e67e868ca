import { ByteWriter, type Env, type File, InputError, LimitError, ulid } from '@pollux/base';
import {
  createXorEncoder,
  XOR_MOST_CUT_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorEncode,
} from '@pollux/kernels';
import type { Labels } from '@pollux/model';
import { TMP_FOR_CREATION } from '../block/block-set.ts';
import { Slices } from '../slices.ts';
import { type Duplicates, RangeMerge, SPILL_CHUNK_SAMPLES } from './range-merge.ts';
import { SectionReader, type SpillSection, SpillWriter } from './spill-file.ts';

export type SampleSorterOptions = {
  readonly env: Env;
  /** Where the temporary file is kept; made when it is not there. */
  readonly directory: string;
  /** Length of the ranges of time that come out, each whole. */
  readonly rangeMs: number;
  readonly duplicates: Duplicates;
  readonly signal: AbortSignal;
  /** Samples and names held before they are written to the temporary file. Default 192 MiB. */
  readonly memoryBytes?: number;
};

/** A range of time that has samples. */
export type SortedRange = {
  readonly startMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly sections: readonly SpillSection[];
};

const DEFAULT_MEMORY_BYTES = 192 * 1024 * 1024;
/** Time, two words, series number, and twice an index while sorting. */
const SAMPLE_BYTES = 28;
/** Of a series beside its key: labels, map entry. */
const SERIES_BYTES = 256;
/** All windows of a merge together. */
const MERGE_BUFFER_BYTES = 64 * 1024 * 1024;
const MAX_WINDOW_BYTES = 256 * 1024;
const MIN_WINDOW_BYTES = 4 * 1024;
/** A block each; two-hour blocks of twenty years are 87,660. */
const MAX_RANGES = 200_000;
const MAX_TIMESTAMP_MS = 2 ** 53 - 1;

/**
 * Sorts samples of any order and any number by range of time, series, and time, in bounded memory: what does not fit goes
 * to a temporary file in sorted runs, which are merged at the end. Use: `add` many, `await spill()` whenever `isFull`,
 * then `await finish()`, then read the ranges; `close` removes the file. Memory after that grows with the series of a
 * range, never with samples.
 */
export class SampleSorter {
  readonly #options: SampleSorterOptions;
  readonly #slices: Slices;
  readonly #directory: string;
  readonly #path: string;
  readonly #memoryBytes: number;
  readonly #sections: SpillSection[] = [];
  #writer: SpillWriter | null = null;
  #file: File | null = null;
  #byKey = new Map<string, number>();
  #labels: Labels[] = [];
  #seriesBytes = 0;
  #capacity = 16 * 1024;
  #count = 0;
  #series = new Uint32Array(this.#capacity);
  #times = new Float64Array(this.#capacity);
  #words = new Uint32Array(this.#capacity * 2);
  /** Samples added so far. */
  samples = 0;
  /** Samples left out because another of the same series and time, with another value, was kept. */
  conflicts = 0;
  minMs = Number.POSITIVE_INFINITY;
  maxMs = Number.NEGATIVE_INFINITY;

  constructor(options: SampleSorterOptions) {
    const { env, directory, signal } = options;
    this.#options = options;
    this.#slices = new Slices(env.clock, signal);
    this.#memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES;
    this.#directory = `${directory}/${ulid(env.clock.now(), env.random)}${TMP_FOR_CREATION}`;
    this.#path = `${this.#directory}/samples`;
  }

  /**
   * Adds a sample. `key` names the series; two keys may name the same one. `labels` is asked once a key and run. Throws
   * InputError for a time that is no whole number of milliseconds.
   */
  add(
    key: string,
    labels: () => Labels,
    sample: {
      readonly timestampMs: number;
      readonly valueLow: number;
      readonly valueHigh: number;
    },
  ): void {
    this.#append(this.#idOf(key, labels), sample.timestampMs, sample.valueLow, sample.valueHigh);
  }

  /** As {@link add} of the samples `from` … `to` − 1 of columns; word 2i is the low half of value i. */
  addColumns(
    key: string,
    labels: () => Labels,
    columns: {
      readonly timestampsMs: Float64Array;
      readonly valueWords: Uint32Array;
      readonly from: number;
      readonly to: number;
    },
  ): void {
    const { timestampsMs, valueWords, from, to } = columns;
    if (from >= to) return;
    const id = this.#idOf(key, labels);
    for (let i = from; i < to; i++)
      this.#append(id, timestampsMs[i]!, valueWords[i * 2]!, valueWords[i * 2 + 1]!);
  }

  #idOf(key: string, labels: () => Labels): number {
    let id = this.#byKey.get(key);
    if (id === undefined) {
      id = this.#labels.push(labels()) - 1;
      this.#byKey.set(key, id);
      this.#seriesBytes += SERIES_BYTES + key.length * 4;
    }
    return id;
  }

  #append(id: number, timestampMs: number, valueLow: number, valueHigh: number): void {
    if (!Number.isInteger(timestampMs) || Math.abs(timestampMs) > MAX_TIMESTAMP_MS)
      throw new InputError('TSDB.BAD_TIME', '', `time ${timestampMs} is out of range`);
    if (this.#count === this.#capacity) this.#grow();
    const at = this.#count++;
    this.#series[at] = id;
    this.#times[at] = timestampMs;
    this.#words[at * 2] = valueLow;
    this.#words[at * 2 + 1] = valueHigh;
    this.samples++;
    if (timestampMs < this.minMs) this.minMs = timestampMs;
    if (timestampMs > this.maxMs) this.maxMs = timestampMs;
  }

  /** True when it is time to call {@link spill}; samples added meanwhile are taken all the same. */
  get isFull(): boolean {
    return this.#count * SAMPLE_BYTES + this.#seriesBytes >= this.#memoryBytes;
  }

  /** Lets other work run when it is time; rejects with CanceledError when the signal has aborted. */
  async breathe(): Promise<void> {
    if (this.#slices.isOver) await this.#slices.pause();
  }

  /** Moves what is in memory to the temporary file. Rejects with CanceledError when the signal has aborted. */
  async spill(): Promise<void> {
    if (this.#count === 0) return;
    this.#writer ??= this.#createFile();
    const writer = this.#writer;
    const order = await this.#sortedByLabels();
    const segments = await this.#segments(order);
    const encoder = new RunEncoder(this.#times, this.#words, this.#options.duplicates);
    const bySection = segments.byRange();
    for (let i = 0; i < bySection.length; ) {
      const range = segments.rangeOf(bySection[i]!);
      const start = writer.position;
      let minMs = Number.POSITIVE_INFINITY;
      let maxMs = Number.NEGATIVE_INFINITY;
      for (; i < bySection.length && segments.rangeOf(bySection[i]!) === range; i++) {
        const indices = segments.slice(bySection[i]!, order);
        writer.series(this.#labels[this.#series[indices[0]!]!]!, encoder.encode(indices));
        minMs = Math.min(minMs, this.#times[indices[0]!]!);
        maxMs = Math.max(maxMs, this.#times[indices[indices.length - 1]!]!);
        if (this.#slices.isOver) await this.#slices.pause();
      }
      this.#sections.push({ range, start, end: writer.position, minMs, maxMs });
    }
    this.conflicts += encoder.conflicts;
    this.#count = 0;
    this.#byKey = new Map();
    this.#labels = [];
    this.#seriesBytes = 0;
  }

  /** Ends the adding and gives the ranges, oldest first. Throws LimitError when there are too many of them. */
  async finish(): Promise<readonly SortedRange[]> {
    await this.spill();
    this.#writer?.flush();
    this.#times = new Float64Array(0);
    this.#words = new Uint32Array(0);
    this.#series = new Uint32Array(0);
    this.#capacity = 0;
    const byRange = new Map<number, SpillSection[]>();
    for (const section of this.#sections) {
      const known = byRange.get(section.range);
      if (known === undefined) byRange.set(section.range, [section]);
      else known.push(section);
      if (byRange.size > MAX_RANGES)
        throw new LimitError(
          'TSDB.TOO_MANY_RANGES',
          'ranges',
          `samples lie in more than ${MAX_RANGES} ranges of ${this.#options.rangeMs} ms; take longer blocks`,
        );
    }
    return [...byRange.entries()]
      .sort(([a], [b]) => a - b)
      .map(([range, sections]) => ({
        startMs: range * this.#options.rangeMs,
        minMs: Math.min(...sections.map(({ minMs }) => minMs)),
        maxMs: Math.max(...sections.map(({ maxMs }) => maxMs)),
        sections,
      }));
  }

  /** The series of a range that {@link finish} gave. */
  merge({ sections }: SortedRange): RangeMerge {
    const { duplicates } = this.#options;
    return new RangeMerge(this.#openFile(), sections, duplicates, windowBytes(sections.length));
  }

  /** Every label name and value of a range, each once. */
  async texts({ sections }: SortedRange): Promise<Set<string>> {
    const texts = new Set<string>();
    for (const section of sections) {
      const reader = new SectionReader(this.#openFile(), section, MAX_WINDOW_BYTES);
      while (!reader.isAtEnd) {
        for (const [name, value] of reader.labels()) {
          texts.add(name);
          texts.add(value);
        }
        reader.skip(reader.uvarint());
        if (this.#slices.isOver) await this.#slices.pause();
      }
    }
    return texts;
  }

  /** Removes the temporary file. Idempotent. */
  close(): void {
    this.#writer?.close();
    this.#file?.close();
    this.#file = null;
    if (this.#writer !== null) this.#options.env.files.removeTree(this.#directory);
    this.#writer = null;
  }

  #createFile(): SpillWriter {
    const { files } = this.#options.env;
    files.makeDirectory(this.#directory);
    return new SpillWriter(files, this.#path);
  }

  #openFile(): File {
    this.#file ??= this.#options.env.files.open(this.#path, 'r');
    return this.#file;
  }

  #grow(): void {
    this.#capacity *= 2;
    const series = new Uint32Array(this.#capacity);
    series.set(this.#series);
    this.#series = series;
    const times = new Float64Array(this.#capacity);
    times.set(this.#times);
    this.#times = times;
    const words = new Uint32Array(this.#capacity * 2);
    words.set(this.#words);
    this.#words = words;
  }

  /** Indices of the samples by labels, then time, then arrival. */
  async #sortedByLabels(): Promise<Uint32Array> {
    const { ranks, rankCount } = this.#ranks();
    const starts = new Uint32Array(rankCount + 1);
    const count = this.#count;
    for (let i = 0; i < count; i++) {
      const next = ranks[this.#series[i]!]! + 1;
      starts[next] = starts[next]! + 1;
    }
    for (let rank = 1; rank <= rankCount; rank++) starts[rank] = starts[rank]! + starts[rank - 1]!;
    const order = new Uint32Array(count);
    const next = starts.slice();
    for (let i = 0; i < count; i++) {
      const rank = ranks[this.#series[i]!]!;
      order[next[rank]!] = i;
      next[rank] = next[rank]! + 1;
    }
    const times = this.#times;
    for (let rank = 0; rank < rankCount; rank++) {
      const part = order.subarray(starts[rank], starts[rank + 1]);
      if (!isAscending(part, times)) part.sort((a, b) => times[a]! - times[b]! || a - b);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    return order;
  }

  /** The place of each series in the order of the labels; series with equal labels have the same. */
  #ranks(): { ranks: Uint32Array; rankCount: number } {
    const labels = this.#labels;
    const ids = Uint32Array.from(labels.keys());
    // Who adds series of sorted answers has them in order: sorting them would hold the thread for nothing.
    if (labels.some((one, i) => i > 0 && labels[i - 1]!.compare(one) > 0))
      ids.sort((a, b) => labels[a]!.compare(labels[b]!));
    const ranks = new Uint32Array(labels.length);
    let rank = -1;
    for (let i = 0; i < ids.length; i++) {
      if (i === 0 || !labels[ids[i]!]!.equals(labels[ids[i - 1]!]!)) rank++;
      ranks[ids[i]!] = rank;
    }
    return { ranks, rankCount: rank + 1 };
  }

  /** Cuts `order` into parts of one series in one range. */
  async #segments(order: Uint32Array): Promise<Segments> {
    const { rangeMs } = this.#options;
    const segments = new Segments();
    let previous: Labels | null = null;
    let previousRange = 0;
    for (let i = 0; i < order.length; i++) {
      const index = order[i]!;
      const labels = this.#labels[this.#series[index]!]!;
      const range = Math.floor(this.#times[index]! / rangeMs);
      const isSame = labels === previous || (previous !== null && labels.equals(previous));
      if (!isSame || range !== previousRange) segments.begin(range, i);
      previous = labels;
      previousRange = range;
      if (i % 1024 === 0 && this.#slices.isOver) await this.#slices.pause();
    }
    return segments;
  }
}

/** Consecutive parts of a list, each of one range; columns, since there may be as many as samples. */
class Segments {
  #ranges = new Float64Array(1024);
  #starts = new Uint32Array(1024);
  #count = 0;

  begin(range: number, at: number): void {
    if (this.#count === this.#ranges.length) {
      const ranges = new Float64Array(this.#count * 2);
      ranges.set(this.#ranges);
      this.#ranges = ranges;
      const starts = new Uint32Array(this.#count * 2);
      starts.set(this.#starts);
      this.#starts = starts;
    }
    this.#ranges[this.#count] = range;
    this.#starts[this.#count++] = at;
  }

  /** Numbers of the parts by range; those of one range stay in their order. */
  byRange(): Uint32Array {
    const ranges = this.#ranges;
    const order = new Uint32Array(this.#count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return order.sort((a, b) => ranges[a]! - ranges[b]! || a - b);
  }

  rangeOf(segment: number): number {
    return this.#ranges[segment]!;
  }

  /** The part itself; `list` is the list that was cut. */
  slice(segment: number, list: Uint32Array): Uint32Array {
    const end = segment + 1 < this.#count ? this.#starts[segment + 1]! : list.length;
    return list.subarray(this.#starts[segment], end);
  }
}

function isAscending(indices: Uint32Array, times: Float64Array): boolean {
  for (let i = 1; i < indices.length; i++) {
    if (times[indices[i]!]! < times[indices[i - 1]!]!) return false;
  }
  return true;
}

function windowBytes(sections: number): number {
  const share = Math.floor(MERGE_BUFFER_BYTES / Math.max(1, sections));
  return Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, share));
}

/** Encodes the samples of one series of a run, one of each time. */
class RunEncoder {
  readonly #times: Float64Array;
  readonly #words: Uint32Array;
  readonly #keepsLast: boolean;
  readonly #encoder = createXorEncoder(XOR_MOST_CUT_BYTES);
  /** Samples of the chunk that is being filled. */
  readonly #heldTimes = new Float64Array(SPILL_CHUNK_SAMPLES);
  readonly #heldWords = new Uint32Array(SPILL_CHUNK_SAMPLES * 2);
  #held = 0;
  readonly #chunk = new Uint8Array((SPILL_CHUNK_SAMPLES + 1) * XOR_SAMPLE_MAX_BYTES);
  readonly #target = new ByteWriter(64 * 1024);
  conflicts = 0;

  constructor(times: Float64Array, words: Uint32Array, duplicates: Duplicates) {
    this.#times = times;
    this.#words = words;
    this.#keepsLast = duplicates === 'last';
  }

  /** `indices` ascend by time, then arrival. The bytes are lent. */
  encode(indices: Uint32Array): Uint8Array {
    const times = this.#times;
    this.#target.reset();
    for (let i = 0; i < indices.length; ) {
      let kept = indices[i]!;
      const timestampMs = times[kept]!;
      for (i++; i < indices.length && times[indices[i]!] === timestampMs; i++) {
        const other = indices[i]!;
        if (!this.#isSameValue(kept, other)) this.conflicts++;
        if (this.#keepsLast) kept = other;
      }
      this.#append(timestampMs, kept);
    }
    this.#endChunk();
    return this.#target.bytes();
  }

  #isSameValue(a: number, b: number): boolean {
    const words = this.#words;
    return words[a * 2] === words[b * 2] && words[a * 2 + 1] === words[b * 2 + 1];
  }

  #append(timestampMs: number, index: number): void {
    const held = this.#held++;
    this.#heldTimes[held] = timestampMs;
    this.#heldWords[held * 2] = this.#words[index * 2]!;
    this.#heldWords[held * 2 + 1] = this.#words[index * 2 + 1]!;
    if (this.#held === SPILL_CHUNK_SAMPLES) this.#endChunk();
  }

  #endChunk(): void {
    if (this.#held === 0) return;
    const chunk = this.#chunk;
    const held = this.#held;
    const length = xorEncode(this.#encoder, this.#heldTimes, this.#heldWords, 0, held, chunk, 0);
    this.#target.uvarint(length);
    this.#target.raw(chunk, 0, length);
    this.#held = 0;
  }
}
