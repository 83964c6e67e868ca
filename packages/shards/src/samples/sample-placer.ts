import { type Clock, Slices } from '@pollux/base';
import { wordsOf } from '@pollux/model';
import {
  MAX_TIME_MS,
  type SampleColumns,
  type SampleRules,
  splitReplicaLabels,
  type WriteTarget,
} from '@pollux/storage';
import { measurementOf } from '../engine/prometheus-mapping.ts';
import type { ShardGroup } from '../shard-group.ts';
import { RESERVED, UNMET } from './sample-index.ts';
import type { SampleRows, SampleRowsPool } from './sample-rows.ts';

/** Rows looked at between two looks at the clock, as long as their series are known, or new ones. */
const ROWS_PER_PIECE = 2_048;
const NEW_PER_PIECE = 64;

export type SamplePart = { readonly group: ShardGroup; readonly rows: SampleRows };

/** Samples by the shard groups that they belong to, with their columns, in memory of their own. */
export type SampleBatch = {
  readonly parts: readonly SamplePart[];
  /** Rows in all parts. */
  readonly count: number;
  readonly expiredPoints: number;
  readonly refusedSamples: number;
  readonly reservedMeasurement: string | null;
};

export type SamplePlacerOptions = {
  readonly clock: Clock;
  readonly pool: SampleRowsPool;
  /** Room for the labels of one series, used between two awaits. */
  readonly spans: Uint32Array;
  readonly groupFor: (target: WriteTarget, ms: number) => ShardGroup;
};

/** Finds the groups and columns of the samples of one request; they are lent until {@link place} resolves. */
export class SamplePlacer {
  readonly #options: SamplePlacerOptions;
  readonly #writeTarget: () => WriteTarget;
  readonly #samples: SampleColumns;
  readonly #rules: SampleRules;
  #target: WriteTarget | null = null;
  readonly #parts = new Map<ShardGroup, SamplePart>();
  /** That of the last row, and the span of its group. */
  #part: SamplePart | null = null;
  #startMs = 0;
  #endMs = 0;
  #expired = 0;
  #refused = 0;
  #reservedMeasurement: string | null = null;
  #reservedTag: Uint8Array | null = null;
  /** Series that were met for the first time. */
  #met = 0;

  constructor(
    options: SamplePlacerOptions,
    writeTarget: () => WriteTarget,
    samples: SampleColumns,
    rules: SampleRules,
  ) {
    this.#options = options;
    this.#writeTarget = writeTarget;
    this.#samples = samples;
    this.#rules = rules;
  }

  /** Works in slices of time. Throws what opening or creating a group throws. */
  async place(): Promise<SampleBatch> {
    const { sampleCount } = this.#samples;
    const slices = new Slices(this.#options.clock);
    try {
      for (let row = 0; row < sampleCount; ) {
        row = this.#placePiece(row, Math.min(sampleCount, row + ROWS_PER_PIECE));
        if (row < sampleCount && slices.isOver) await slices.pause();
      }
    } catch (error) {
      for (const { rows } of this.#parts.values()) this.#options.pool.give(rows);
      throw error;
    }
    const parts = [...this.#parts.values()];
    return {
      parts,
      count: parts.reduce((count, { rows }) => count + rows.count, 0),
      expiredPoints: this.#expired,
      refusedSamples: this.#refused,
      reservedMeasurement: this.#reservedMeasurement,
    };
  }

  /** Places rows from `from` on and returns where it stopped. */
  #placePiece(from: number, to: number): number {
    const { sampleSeries, timestampsMs, values, numbers } = this.#samples;
    const words = wordsOf(values);
    const mostMet = this.#met + NEW_PER_PIECE;
    for (let row = from; row < to; row++) {
      if (this.#met >= mostMet) return row;
      const series = sampleSeries[row]!;
      const ms = timestampsMs[row]!;
      const part = this.#partOf(ms, series);
      if (part === null) {
        this.#leaveOut(series, ms);
        continue;
      }
      const index = part.group.samples;
      let column = index.find(numbers[series]!);
      if (column === UNMET) {
        this.#met++;
        column = index.meet(this.#samples, series);
      }
      if (column === RESERVED) this.#refuse(series);
      else part.rows.push(column, ms, words[row * 2]!, words[row * 2 + 1]!);
    }
    return to;
  }

  /** Null for a time that is not kept; may be null also for a series that is refused, for which no group is created. */
  #partOf(ms: number, series: number): SamplePart | null {
    if (this.#part !== null && ms >= this.#startMs && ms < this.#endMs) return this.#part;
    if (!(Math.abs(ms) <= MAX_TIME_MS)) return null;
    if (this.#noteReserved(series)) return null;
    this.#target ??= this.#writeTarget();
    const { oldestMs } = this.#target;
    if (oldestMs !== null && ms < oldestMs) return null;
    const group = this.#options.groupFor(this.#target, ms);
    let part = this.#parts.get(group);
    if (part === undefined) {
      group.samples.prepare(this.#samples.numbering, this.#rules);
      part = { group, rows: this.#options.pool.take() };
      this.#parts.set(group, part);
    }
    this.#part = part;
    // The oldest time may lie in the middle of the group.
    this.#startMs = Math.max(group.identity.startMs, oldestMs ?? -MAX_TIME_MS, -MAX_TIME_MS);
    this.#endMs = Math.min(group.identity.endMs, MAX_TIME_MS + 1);
    return part;
  }

  /** A sample whose time is not kept; one that is refused for its series too does not count as expired. */
  #leaveOut(series: number, ms: number): void {
    const isReserved = this.#noteReserved(series);
    if (isReserved || !(Math.abs(ms) <= MAX_TIME_MS)) this.#refused++;
    else this.#expired++;
  }

  #refuse(series: number): void {
    this.#refused++;
    if (this.#reservedMeasurement === null) this.#noteReserved(series);
  }

  #noteReserved(series: number): boolean {
    if (!this.#mayBeReserved(series)) return false;
    const { labels } = splitReplicaLabels(
      this.#samples.labelsOf(series),
      this.#rules.replicaLabels,
    );
    if (!labels.has(this.#rules.reservedTag)) return false;
    this.#reservedMeasurement ??= measurementOf(labels);
    return true;
  }

  /** False when the labels are plain and none has the name of the tag: a writer far behind sends very many such samples. */
  #mayBeReserved(series: number): boolean {
    const { spans } = this.#options;
    this.#reservedTag ??= new TextEncoder().encode(this.#rules.reservedTag);
    const count = this.#samples.spansOf(series, spans);
    if (count < 0) return true;
    for (let i = 0; i < count; i++) {
      const [start, end] = [spans[i * 4]!, spans[i * 4 + 1]!];
      if (isEqual(this.#samples.labelData, start, end, this.#reservedTag)) return true;
    }
    return false;
  }
}

function isEqual(data: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (data[start + i] !== name[i]) return false;
  return true;
}
