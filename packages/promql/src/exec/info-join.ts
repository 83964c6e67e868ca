import { type Labels, LabelsBuilder, Matcher, METRIC_NAME, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { QueryError } from '../errors.ts';
import type { Expr } from '../parser/ast.ts';
import { walk } from '../parser/walk.ts';
import { type CallNode, NO_HINT, type TimeShift } from '../plan/nodes.ts';
import { Batch, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { BATCH_STEPS, BatchCursor, lastStepMs, type StepGrid } from './grid.ts';
import { loadSeries } from './load-series.ts';
import type { Operator } from './operator.ts';
import { isStaleSample } from './series-columns.ts';

/** Labels by which an info series belongs to others. */
const IDENTIFYING = ['instance', 'job'] as const;
/** More values than this are not worth a matcher of their own. */
const MAX_MATCHER_VALUES = 1_000;

type InfoSeries = {
  readonly columns: SeriesColumns;
  readonly words: Uint32Array;
  readonly name: string;
  next: number;
};

type Output = {
  readonly info: SeriesInfo;
  readonly batches: { readonly step: number; readonly from: number }[];
};

/**
 * info(v, {matchers}): adds the labels of info series with the same instance and job. Which info series is current may
 * change from step to step, and with it the labels, so all steps are joined before the first output series is known.
 */
export class InfoJoin implements Operator {
  readonly #child: Operator;
  readonly #context: ExecContext;
  readonly #grid: StepGrid;
  readonly #steps: BatchCursor;
  readonly #matchers: InfoMatchers;
  readonly #shift: TimeShift;
  /** All cells of the child: one batch over the whole grid, series by series of the output. */
  #output: Batch | null = null;
  #result: Batch | null = null;

  constructor(node: CallNode, child: Operator, grid: StepGrid, context: ExecContext) {
    this.#child = child;
    this.#context = context;
    this.#grid = grid;
    this.#steps = new BatchCursor(grid);
    this.#matchers = new InfoMatchers(node.argExprs[1] ?? null);
    this.#shift = shiftOf(node.argExprs[0]!, context);
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const base = await this.#child.series();
    const infos = await this.#loadInfos(base);
    const joins = base.map((info) => this.#candidates(info, infos));
    const outputs: Output[] = [];
    const byKey = new Map<string, Output>();
    const cells = base.length * this.#grid.count;
    // All of them are held, also those without a sample.
    this.#context.held.check(cells);
    const all = new Batch(base.length, this.#grid.count);
    for (let first = 0; ; ) {
      await this.#context.checkpoint();
      const input = await this.#child.next();
      if (input === null) break;
      for (let i = 0; i < input.stepCount; i++) {
        const step = first + i;
        for (let s = 0; s < base.length; s++) {
          const cell = s * input.stepCount + i;
          if (input.kinds[cell] === 0) continue;
          const labels = this.#enrich(base[s]!, joins[s]!, step);
          if (labels === null) continue;
          all.copyCell(s * this.#grid.count + step, input, cell);
          const key = labels.key();
          let output = byKey.get(key);
          if (output === undefined) {
            output = { info: { labels, dropName: base[s]!.dropName }, batches: [] };
            byKey.set(key, output);
            outputs.push(output);
          }
          output.batches.push({ step, from: s * this.#grid.count + step });
        }
      }
      first += input.stepCount;
    }
    this.#output = this.#transpose(outputs, all);
    return outputs.map(({ info }) => info);
  }

  async next(): Promise<Batch | null> {
    const steps = this.#steps;
    if (!steps.advance()) return null;
    const output = this.#output!;
    this.#result ??= new Batch(output.seriesCount, Math.min(BATCH_STEPS, this.#grid.count));
    this.#result.clear(steps.count);
    for (let s = 0; s < output.seriesCount; s++) {
      for (let i = 0; i < steps.count; i++) {
        const from = s * this.#grid.count + steps.first + i;
        this.#result.copyCell(s * steps.count + i, output, from);
      }
    }
    return this.#result;
  }

  #transpose(outputs: readonly Output[], all: Batch): Batch {
    const cells = outputs.length * this.#grid.count;
    this.#context.held.check(cells);
    const result = new Batch(outputs.length, this.#grid.count);
    for (const [o, { batches }] of outputs.entries()) {
      for (const { step, from } of batches) {
        const cell = o * this.#grid.count + step;
        if (result.kinds[cell] !== 0)
          throw QueryError.execution('vector cannot contain metrics with the same labelset');
        result.copyCell(cell, all, from);
      }
    }
    return result;
  }

  async #loadInfos(base: readonly SeriesInfo[]): Promise<readonly InfoSeries[]> {
    const wanting = base.filter(
      ({ labels }) =>
        !this.#matchers.isInfo(labels) && IDENTIFYING.some((name) => labels.has(name)),
    );
    if (wanting.length === 0) return [];
    const { lookbackMs } = this.#context.options;
    const firstMs = (this.#shift.atMs ?? this.#grid.startMs) - this.#shift.offsetMs;
    const lastMs = (this.#shift.atMs ?? lastStepMs(this.#grid)) - this.#shift.offsetMs;
    const matchers = [...this.#matchers.all];
    for (const name of IDENTIFYING) {
      const values = new Set(wanting.map(({ labels }) => labels.get(name)));
      if (values.size > MAX_MATCHER_VALUES) continue;
      matchers.push(new Matcher(name, '=~', [...values].map(escapeRegex).join('|')));
    }
    const loaded = await loadSeries(this.#context, {
      selector: {
        kind: 'vector-selector',
        name: '',
        matchers,
        offset: null,
        at: null,
        anchored: false,
        smoothed: false,
        range: { start: 0, end: 0 },
      },
      minMs: firstMs - lookbackMs + 1,
      maxMs: lastMs,
      stepMs: this.#grid.stepMs,
      rangeMs: 0,
      hint: { ...NO_HINT, func: 'info' },
      need: { kind: 'samples' },
    });
    return loaded.map((columns) => ({
      columns,
      words: wordsOf(columns.values),
      name: columns.labels.get(METRIC_NAME),
      next: 0,
    }));
  }

  /** The info series that belong to a base series; null when it is an info series itself. */
  #candidates(base: SeriesInfo, infos: readonly InfoSeries[]): readonly InfoSeries[] | null {
    if (this.#matchers.isInfo(base.labels)) return null;
    if (!IDENTIFYING.some((name) => base.labels.has(name))) return [];
    return infos.filter(({ columns }) =>
      IDENTIFYING.every((name) => columns.labels.get(name) === base.labels.get(name)),
    );
  }

  /** The labels of a base series at a step, or null when it drops out. */
  #enrich(base: SeriesInfo, candidates: readonly InfoSeries[] | null, step: number): Labels | null {
    if (candidates === null) return base.labels;
    const timeMs = this.#grid.startMs + step * this.#grid.stepMs;
    const referenceMs = (this.#shift.atMs ?? timeMs) - this.#shift.offsetMs;
    const current = new Map<string, { readonly info: InfoSeries; readonly atMs: number }>();
    for (const info of candidates) {
      const atMs = this.#sampleTime(info, referenceMs);
      if (atMs === null) continue;
      const known = current.get(info.name);
      if (known?.atMs === atMs) {
        throw QueryError.execution(
          `found duplicate series for info metric: existing ${known.info.columns.labels} @ ${atMs}, new ${info.columns.labels} @ ${atMs}`,
        );
      }
      // Of series that overlap, the one with the newest sample counts.
      if (known === undefined || known.atMs < atMs) current.set(info.name, { info, atMs });
    }
    if (current.size === 0) return this.#matchers.acceptsNone ? base.labels : null;
    return this.#mergedLabels(base.labels, [...current.values()]);
  }

  #mergedLabels(base: Labels, current: readonly { readonly info: InfoSeries }[]): Labels {
    const builder = new LabelsBuilder(base);
    const added = new Map<string, string>();
    for (const { info } of current) {
      for (const [name, value] of info.columns.labels) {
        if (name === METRIC_NAME || base.has(name)) continue;
        if (!this.#matchers.includes(name)) continue;
        const known = added.get(name);
        if (known !== undefined && known !== value) {
          throw QueryError.execution(`conflicting label: ${name}`);
        }
        added.set(name, value);
        builder.set(name, value);
      }
    }
    return builder.build();
  }

  /** Time of the sample that an instant selector would take; steps ascend, so the cursor only moves on. */
  #sampleTime(info: InfoSeries, referenceMs: number): number | null {
    const { timestampsMs, count, histograms } = info.columns;
    if (info.next > 0 && timestampsMs[info.next - 1]! > referenceMs) info.next = 0;
    while (info.next < count && timestampsMs[info.next]! <= referenceMs) info.next++;
    const at = info.next - 1;
    if (at < 0 || timestampsMs[at]! <= referenceMs - this.#context.options.lookbackMs) return null;
    if (isStaleSample(info.words, histograms, at)) return null;
    if (histograms?.[at] != null) {
      throw QueryError.execution('this should be an info metric, with float samples');
    }
    return timestampsMs[at]!;
  }
}

/** The second argument of info: which info metrics, which of their labels. */
class InfoMatchers {
  readonly all: readonly Matcher[];
  readonly #names: readonly Matcher[];
  readonly #labels: ReadonlySet<string>;
  /** True when a base series without info series stays as it is. */
  readonly acceptsNone: boolean;

  constructor(selector: Expr | null) {
    const given = selector?.kind === 'vector-selector' ? selector.matchers : [];
    const names = given.filter(({ name }) => name === METRIC_NAME);
    const labels = given.filter(({ name }) => name !== METRIC_NAME);
    const hasPositive = names.some(({ operator }) => operator === '=' || operator === '=~');
    // Names that are only ruled out leave all metrics that follow the convention.
    const convention = hasPositive ? [] : [new Matcher(METRIC_NAME, '=~', '.+_info')];
    this.#names = names.length === 0 ? [Matcher.metric('target_info')] : [...names, ...convention];
    this.#labels = new Set(labels.map(({ name }) => name));
    this.all = [...this.#names, ...labels];
    this.acceptsNone = labels.every((matcher) => matcher.matchesEmpty);
  }

  /** True when the query names the series as an info series; those are not joined. */
  isInfo(labels: Labels): boolean {
    const name = labels.get(METRIC_NAME);
    return this.#names.every((matcher) => matcher.matches(name));
  }

  /** Without matchers on labels, all labels are added. */
  includes(label: string): boolean {
    return this.#labels.size === 0 || this.#labels.has(label);
  }
}

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

/** When the base samples are taken: info series are read as of the same time. */
function shiftOf(expr: Expr, context: ExecContext): TimeShift {
  let shift: TimeShift | null = null;
  walk(expr, (node, path) => {
    if (node.kind !== 'vector-selector' || shift !== null) return shift === null;
    let atMs: number | null = null;
    let offsetMs = 0;
    for (const outer of [...path, node]) {
      if (outer.kind !== 'subquery' && outer.kind !== 'vector-selector') continue;
      if (outer.at !== null) {
        offsetMs = 0;
        const { startMs, endMs } = context.times;
        if (outer.at.kind === 'timestamp') atMs = outer.at.timestampMs;
        else atMs = outer.at.kind === 'start' ? startMs : endMs;
      }
      offsetMs += outer.offset?.ms ?? 0;
    }
    shift = { atMs, offsetMs };
    return false;
  });
  return shift ?? { atMs: null, offsetMs: 0 };
}
