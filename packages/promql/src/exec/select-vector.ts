import { quoteText, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { noteReconciled } from '../functions/window/mixed-input.ts';
import { countsOf } from '../histogram/counts-of.ts';
import type { NoteReconciled } from '../histogram/interpolate.ts';
import { histogramPoints } from '../histogram/size.ts';
import type { VectorSelectNode } from '../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { smoothedValue } from './extended-range.ts';
import { BatchCursor, lastStepMs, mostSteps, type StepGrid } from './grid.ts';
import { type LoadRequest, loadSeries, openSeries } from './load-series.ts';
import type { BlockOperator } from './operator.ts';
import { isStaleValue } from './series-columns.ts';
import type { SeriesRead } from './shared-series.ts';

type Cursor = {
  readonly columns: SeriesColumns;
  /** Samples before this index are at or before the last reference time. */
  next: number;
};

/** An instant selector: per step the newest sample within the lookback (left-open), unless it is a stale marker. */
export class SelectVector implements BlockOperator {
  readonly #node: VectorSelectNode;
  readonly #context: ExecContext;
  readonly #grid: StepGrid;
  #steps: BatchCursor;
  #cursors: Cursor[] = [];
  #batch: Batch | null = null;
  #reader: SeriesRead | null = null;

  constructor(node: VectorSelectNode, grid: StepGrid, context: ExecContext) {
    this.#node = node;
    this.#context = context;
    this.#grid = grid;
    this.#steps = new BatchCursor(grid);
  }

  get hasBlocks(): boolean {
    return true;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    return this.#begin(await loadSeries(this.#context, this.#request()));
  }

  async nextBlock(): Promise<readonly SeriesInfo[] | null> {
    this.#reader ??= openSeries(this.#context, this.#request(), true);
    const loaded = await this.#reader.next();
    return loaded === null ? null : this.#begin(loaded);
  }

  closeBlocks(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  #request(): LoadRequest {
    const { selector, shift, hint, sharing, isSparse } = this.#node;
    const { lookbackMs } = this.#context.options;
    const firstMs = (shift.atMs ?? this.#grid.startMs) - shift.offsetMs;
    const lastMs = (shift.atMs ?? lastStepMs(this.#grid)) - shift.offsetMs;
    return {
      selector,
      minMs: firstMs - lookbackMs + 1,
      maxMs: selector.smoothed ? lastMs + lookbackMs : lastMs,
      stepMs: this.#grid.stepMs,
      rangeMs: 0,
      hint,
      need: { kind: 'samples' },
      sharing,
      windows: isSparse
        ? { firstEndMs: firstMs, stepMs: this.#grid.stepMs, widthMs: lookbackMs }
        : null,
      // What counts say of resets comes from the samples before.
      isNewestOnly: firstMs === lastMs && !selector.smoothed && !this.#node.countsOnly,
    };
  }

  /** Stands before the first step of these series. */
  #begin(loaded: readonly SeriesColumns[]): readonly SeriesInfo[] {
    this.#cursors = loaded.map((columns) => ({
      columns: this.#node.countsOnly ? countsOnly(columns) : columns,
      next: 0,
    }));
    this.#steps = new BatchCursor(this.#grid);
    if (this.#batch === null || this.#batch.seriesCount !== loaded.length)
      this.#batch = new Batch(loaded.length, mostSteps(this.#grid));
    const dropName = this.#node.mode !== 'value';
    const { delayedNameRemoval } = this.#context.options;
    return loaded.map(({ labels }) => ({
      labels: dropName && !delayedNameRemoval ? labels.withoutMetricName() : labels,
      dropName,
    }));
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const steps = this.#steps;
    const batch = this.#batch!;
    if (!steps.advance()) return null;
    batch.clear(steps.count);
    const { selector, mode } = this.#node;
    for (let s = 0; s < this.#cursors.length; s++) {
      const cursor = this.#cursors[s]!;
      if (selector.smoothed) this.#fillSmoothed(batch, s, cursor);
      else if (mode === 'value' && cursor.columns.histograms === null)
        this.#fillFloats(batch, s, cursor);
      else this.#fill(batch, s, cursor);
    }
    this.#count(batch);
    return batch;
  }

  /** As {@link #fill}, of floats alone: most of what selectors give. */
  #fillFloats(batch: Batch, s: number, cursor: Cursor): void {
    const { timestampsMs, values, count } = cursor.columns;
    const { lookbackMs } = this.#context.options;
    const { atMs, offsetMs } = this.#node.shift;
    const { first, count: stepCount, grid } = this.#steps;
    const { values: cells, kinds } = batch;
    // Not chosen at each step: what may be null is an object, and so would be each reference time.
    const baseMs = atMs ?? grid.startMs;
    const stepMs = atMs === null ? grid.stepMs : 0;
    let { next } = cursor;
    for (let i = 0, cell = s * stepCount; i < stepCount; i++, cell++) {
      const referenceMs = baseMs + (first + i) * stepMs - offsetMs;
      while (next < count && timestampsMs[next]! <= referenceMs) next++;
      if (next === 0 || timestampsMs[next - 1]! <= referenceMs - lookbackMs) continue;
      const value = values[next - 1]!;
      if (Number.isNaN(value) && isStaleValue(cursor.columns, next - 1)) continue;
      cells[cell] = value;
      kinds[cell] = FLOAT;
    }
    cursor.next = next;
  }

  #fill(batch: Batch, s: number, cursor: Cursor): void {
    const { timestampsMs, values, count, histograms, startTimestampsMs } = cursor.columns;
    const { lookbackMs, useStartTimestamps } = this.#context.options;
    const { shift, mode } = this.#node;
    const steps = this.#steps;
    let next = cursor.next;
    for (let i = 0; i < steps.count; i++) {
      const referenceMs = (shift.atMs ?? steps.timeMs(i)) - shift.offsetMs;
      while (next < count && timestampsMs[next]! <= referenceMs) next++;
      if (next === 0) continue;
      const at = next - 1;
      if (timestampsMs[at]! <= referenceMs - lookbackMs) continue;
      if (isStaleValue(cursor.columns, at)) continue;
      const cell = s * steps.count + i;
      const histogram = histograms === null ? null : histograms[at]!;
      if (mode === 'timestamp') batch.setFloat(cell, timestampsMs[at]! / 1000);
      else if (mode === 'start-timestamp') {
        // Only with the feature flag are start timestamps there to be told.
        if (!useStartTimestamps) continue;
        batch.setFloat(cell, startTimestampsMs === null ? 0 : startTimestampsMs[at]! / 1000);
      } else if (histogram !== null && histogram !== undefined) batch.setHistogram(cell, histogram);
      else batch.setFloat(cell, values[at]!);
    }
    cursor.next = next;
  }

  #count(batch: Batch): void {
    const counts = this.#context.counts.of(this.#grid);
    if (counts === null) return;
    const { kinds, stepCount, seriesCount } = batch;
    const { first } = this.#steps;
    if (batch.histograms === null) {
      counts.addFloats(kinds, seriesCount, { firstStep: first, stepCount });
      return;
    }
    for (let s = 0; s < seriesCount; s++) {
      for (let i = 0; i < stepCount; i++) {
        const cell = s * stepCount + i;
        if (kinds[cell] === FLOAT) counts.add(first + i, 1, 1);
        else if (kinds[cell] === HISTOGRAM) {
          const points = histogramPoints(batch.histogramAt(cell));
          counts.add(first + i, points, points);
        }
      }
    }
  }

  #fillSmoothed(batch: Batch, s: number, cursor: Cursor): void {
    const { lookbackMs } = this.#context.options;
    const { shift } = this.#node;
    const steps = this.#steps;
    const note: NoteReconciled = (operation) =>
      noteReconciled(this.#context, operation, this.#node.range);
    for (let i = 0; i < steps.count; i++) {
      const referenceMs = (shift.atMs ?? steps.timeMs(i)) - shift.offsetMs;
      const at = { timeMs: referenceMs, lookbackMs, note };
      const found = smoothedValue(cursor.columns, wordsOf(cursor.columns.values), at);
      const cell = s * steps.count + i;
      if (found.kind === 'float') batch.setFloat(cell, found.value);
      else if (found.kind === 'histogram') batch.setHistogram(cell, found.histogram);
      else {
        if (found.kind !== 'none') this.#warnOfMix(found.kind, cursor.columns.labels.metricName);
      }
    }
  }

  #warnOfMix(kind: 'mixed-types' | 'mixed-schemas', metricName: string): void {
    const what =
      kind === 'mixed-types'
        ? 'encountered a mix of histograms and floats for metric name'
        : 'vector contains a mix of histograms with exponential and custom buckets schemas for metric name';
    this.#context.annotations.warn(`${what} ${quoteText(metricName)}`, this.#node.range);
  }
}

function countsOnly(columns: SeriesColumns): SeriesColumns {
  if (columns.histograms === null) return columns;
  return { ...columns, histograms: countsOf(columns.histograms.slice(0, columns.count)) };
}
