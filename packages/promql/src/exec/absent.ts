import { Labels, LabelsBuilder, METRIC_NAME } from '@pollux/model';
import type { Expr } from '../parser/ast.ts';
import type { RangeCallNode } from '../plan/nodes.ts';
import { Batch, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { BATCH_STEPS, BatchCursor, type StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';
import { countWindows } from './query-counts.ts';
import { loadRange } from './range-source.ts';
import type { RangeSeries } from './series-columns.ts';
import { heldByWindows, WindowTally } from './window-tally.ts';

/** absent(): 1 at the steps where the vector is empty, labelled by what was asked for. */
export class Absent implements Operator {
  readonly #child: Operator;
  readonly #labels: Labels;
  #count = 0;
  #batch: Batch | null = null;

  constructor(child: Operator, labels: Labels) {
    this.#child = child;
    this.#labels = labels;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    this.#count = (await this.#child.series()).length;
    return [{ labels: this.#labels, dropName: false }];
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null) return null;
    const { stepCount, kinds } = input;
    this.#batch ??= new Batch(1, stepCount);
    this.#batch.clear(stepCount);
    for (let i = 0; i < stepCount; i++) {
      let isPresent = false;
      for (let s = 0; s < this.#count && !isPresent; s++)
        isPresent = kinds[s * stepCount + i] !== 0;
      if (!isPresent) this.#batch.setFloat(i, 1);
    }
    return this.#batch;
  }
}

/** absent_over_time(): 1 at the steps whose windows hold no sample of any series. */
export class AbsentOverTime implements Operator {
  readonly #node: RangeCallNode;
  readonly #grid: StepGrid;
  readonly #context: ExecContext;
  readonly #steps: BatchCursor;
  readonly #batch: Batch;
  #series: readonly RangeSeries[] = [];
  #next = new Int32Array(0);
  readonly #held = new WindowTally();

  constructor(node: RangeCallNode, grid: StepGrid, context: ExecContext) {
    this.#node = node;
    this.#grid = grid;
    this.#context = context;
    this.#steps = new BatchCursor(grid);
    this.#batch = new Batch(1, Math.min(BATCH_STEPS, grid.count));
    const tally = context.held.of(node);
    if (tally !== null) tally.windows = this.#held;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const { source } = this.#node;
    this.#series = await loadRange(source, this.#grid, this.#context);
    this.#next = new Int32Array(this.#series.length);
    this.#held.clear();
    this.#held.begin(this.#series.length);
    const labels = source.kind === 'matrix-select' ? absentLabels(source.selector) : Labels.EMPTY;
    return [{ labels, dropName: false }];
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const steps = this.#steps;
    if (!steps.advance()) return null;
    const { shift, windowMs } = this.#node.source;
    this.#batch.clear(steps.count);
    this.#count();
    for (let i = 0; i < steps.count; i++) {
      const endMs = (shift.atMs ?? steps.timeMs(i)) - shift.offsetMs;
      let isPresent = false;
      for (let s = 0; s < this.#series.length && !isPresent; s++)
        isPresent = this.#hasSample(s, endMs - windowMs, endMs);
      if (!isPresent) this.#batch.setFloat(i, 1);
    }
    return this.#batch;
  }

  /** As for any function over windows: whether a sample is there takes the first one only, but the window is told whole. */
  #count(): void {
    const counts = this.#context.counts.of(this.#grid);
    if (counts === null) return;
    const steps = this.#steps;
    const { kind, shift, windowMs } = this.#node.source;
    const endMs = new Float64Array(steps.count);
    for (let i = 0; i < steps.count; i++)
      endMs[i] = (shift.atMs ?? steps.timeMs(i)) - shift.offsetMs;
    const startMs = endMs.map((end) => end - windowMs);
    for (const [s, series] of this.#series.entries()) {
      const { widest, last, present } = heldByWindows(series, {
        startMs,
        endMs,
        count: steps.count,
      });
      this.#held.held(s, widest, last);
      // Of each window that holds anything Prometheus first has a sample.
      this.#held.given(s, present);
      countWindows(counts, series, {
        firstStep: steps.first,
        stepCount: steps.count,
        stepMs: this.#grid.stepMs,
        startMs,
        endMs,
        isPinned: shift.atMs !== null,
        isSubquery: kind === 'subquery',
      });
    }
  }

  #hasSample(s: number, startMs: number, endMs: number): boolean {
    const { count, timestampsMs } = this.#series[s]!;
    let next = this.#next[s]!;
    while (next < count && timestampsMs[next]! <= startMs) next++;
    this.#next[s] = next;
    return next < count && timestampsMs[next]! <= endMs;
  }
}

/** The labels that a selector pins by `=`; a name that it mentions twice says nothing. */
export function absentLabels(expr: Expr): Labels {
  if (expr.kind !== 'vector-selector') return Labels.EMPTY;
  const builder = new LabelsBuilder();
  const seen = new Set<string>();
  const contested = new Set<string>();
  for (const matcher of expr.matchers) {
    if (matcher.name === METRIC_NAME) continue;
    if (matcher.operator === '=' && !seen.has(matcher.name)) {
      builder.set(matcher.name, matcher.value);
      seen.add(matcher.name);
    } else contested.add(matcher.name);
  }
  for (const name of contested) builder.delete(name);
  return builder.build();
}
