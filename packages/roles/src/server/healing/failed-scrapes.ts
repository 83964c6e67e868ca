import { type Env, Slices } from '@pollux/base';
import { Labels, Matcher, METRIC_NAME } from '@pollux/model';
import { withoutExternal } from '@pollux/remote';
import {
  type CoverageReport,
  type FailedScrapesPlan,
  type GoodScrapes,
  goodScrapesOf,
  type HealingPlan,
  type Interval,
  type IntervalSet,
  intersect,
  planFailedScrapes,
  type SubjectHistory,
  spanOf,
  subtract,
  totalMs,
  union,
} from '@pollux/storage';
import type { ServerCoverage } from '../coverage.ts';
import type { CopyOptions } from './copy-piece.ts';
import type { StaleMarker } from './failed-samples.ts';
import type { Twin } from './twin.ts';

/** A twin is not asked about what failed less than so long ago, and may just be failing there as well. */
const WAIT_MS = 5_000;
/** Blocks' times that are looked at before whole times without the server have their turn again. */
const MAX_WINDOWS = 16;
/** Targets that are asked for by name; of more, all are read. */
const MAX_NAMED = 16;

/** A twin, and what it covers. */
type Source = { readonly twin: Twin; readonly report: CoverageReport };

export type FailedScrapesOptions = {
  readonly env: Env;
  readonly coverage: ServerCoverage;
  readonly blockRangeMs: number;
  readonly guardMs: number;
  /** What is older is soon deleted. */
  readonly floorMs: () => number;
  /** Rejects where the twin's samples are not what this server would have. */
  readonly reportOf: (twin: Twin) => Promise<CoverageReport>;
  /** Copies what a plan names, and claims it. */
  readonly copy: (
    from: Source,
    plan: HealingPlan,
    failed: NonNullable<CopyOptions['failed']>,
    claim: () => void,
  ) => Promise<void>;
  readonly deleteMarker: (marker: StaleMarker, matchers: readonly Matcher[]) => Promise<void>;
  readonly signal: AbortSignal;
};

type Todo = { readonly history: SubjectHistory; readonly failed: IntervalSet };

/**
 * Finds scrapes that failed here while a twin's of the same target were good, and has them copied. That they are missing is said to
 * the coverage as soon as it is known, so that nobody takes the target for one that was down, should the twin lose its disk first.
 */
export class FailedScrapes {
  readonly #options: FailedScrapesOptions;
  /** By twin and subject: failures of which it is known that this twin cannot help. */
  readonly #settled = new Map<string, Map<string, IntervalSet>>();

  constructor(options: FailedScrapesOptions) {
    this.#options = options;
  }

  /** Of all targets together, what a twin has, or had, and this server lacks. */
  lackingMs(): number {
    const window = this.#past();
    let sum = 0;
    for (const history of this.#options.coverage.log.histories())
      sum += totalMs(history.lacking(window));
    return sum;
  }

  /** Copies what can be copied now. Rejects with the first error of a twin, after the others have been asked. */
  async round(twins: readonly Twin[]): Promise<void> {
    const failures: unknown[] = [];
    for (const twin of twins) {
      try {
        await this.#ask(twin);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async #ask(twin: Twin): Promise<void> {
    const { blockRangeMs } = this.#options;
    const todo = this.#todoOf(twin);
    const starts = new Set(
      todo.flatMap(({ failed }) =>
        failed.flatMap((run) => [...windowStarts(run, blockRangeMs)].slice(-MAX_WINDOWS)),
      ),
    );
    if (starts.size === 0) return;
    const report = await this.#options.reportOf(twin);
    const newest = [...starts].sort((a, b) => b - a).slice(0, MAX_WINDOWS);
    for (const startMs of newest)
      await this.#lookAt({ twin, report }, { startMs, endMs: startMs + blockRangeMs }, todo);
  }

  #past(): Interval {
    return { startMs: this.#options.floorMs(), endMs: Number.MAX_SAFE_INTEGER };
  }

  #todoOf(twin: Twin): readonly Todo[] {
    const { coverage, env, guardMs } = this.#options;
    const nowMs = env.clock.now();
    const settled = this.#settledOf(twin);
    const known = new Set<string>();
    const found: Todo[] = [];
    for (const history of coverage.log.histories()) {
      const { subject } = history;
      known.add(subject.key);
      // Which series are of a target that may change its labels nobody knows.
      if (subject.kind === 'group' || subject.labels.isEmpty) continue;
      const runs = history.runs('failed');
      if (runs.length === 0) continue;
      const there = union(
        union(history.runs('done'), history.runs('healed')),
        history.runs('seam'),
      );
      const done = union(there, settled.get(subject.key) ?? []);
      const failed = subtract(intersect(runs, [this.#past()]), done);
      const askedMs = nowMs - history.intervalMs - guardMs - WAIT_MS;
      if (failed.some(({ startMs }) => startMs < askedMs)) found.push({ history, failed });
    }
    for (const key of settled.keys()) if (!known.has(key)) settled.delete(key);
    return found;
  }

  #settledOf(twin: Twin): Map<string, IntervalSet> {
    let settled = this.#settled.get(twin.name);
    if (settled === undefined) {
      settled = new Map();
      this.#settled.set(twin.name, settled);
    }
    return settled;
  }

  async #lookAt(from: Source, window: Interval, todo: readonly Todo[]): Promise<void> {
    const { coverage, env, guardMs } = this.#options;
    const { twin, report } = from;
    const histories = todo.flatMap(({ history, failed }) =>
      intersect(failed, [window]).length > 0 ? [history] : [],
    );
    if (histories.length === 0) return;
    const goodBy = await this.#goodScrapes(from, window, histories);
    const plan = planFailedScrapes({
      twin: twin.name,
      histories,
      goodOf: ({ subject }) => goodBy.get(subject.key) ?? null,
      window,
      twinNowMs: report.nowMs,
      nowMs: env.clock.now(),
      guardMs,
    });
    for (const [key, times] of plan.lacking) coverage.log.lack(key, times);
    if (spanOf(plan.healing) !== null) await this.#copy(from, plan);
    else if (plan.healing.subjects.length > 0) coverage.heal(plan.healing);
    const settled = this.#settledOf(twin);
    for (const [key, times] of plan.settled) {
      const all = union(settled.get(key) ?? [], times);
      settled.set(key, intersect(all, [this.#past()]));
    }
  }

  /** By the subjects' keys, of the window and of what lies about it. */
  async #goodScrapes(
    { twin, report }: Source,
    window: Interval,
    histories: readonly SubjectHistory[],
  ): Promise<ReadonlyMap<string, GoodScrapes>> {
    const { env, signal } = this.#options;
    const slices = new Slices(env.clock, signal);
    const reachMs = 4 * longestIntervalOf(histories);
    const range = { minMs: window.startMs - reachMs, maxMs: window.endMs + reachMs };
    const byLabels = new Map(histories.map((one) => [one.subject.labels.key(), one]));
    const found = new Map<string, GoodScrapes>();
    const up = new Matcher(METRIC_NAME, '=', 'up');
    const external = report.externalLabels ?? Labels.EMPTY;
    for (const series of await twin.read(range, [up, ...matchersOf(histories)], signal)) {
      if (slices.isOver) await slices.pause();
      const labels = withoutExternal(series.labels, external).withoutMetricName();
      const history = byLabels.get(labels.key());
      if (history === undefined) continue;
      found.set(history.subject.key, goodScrapesOf(series.columns(range), history.intervalMs));
    }
    return found;
  }

  async #copy(from: Source, { healing }: FailedScrapesPlan): Promise<void> {
    const { coverage, copy } = this.#options;
    const histories = [...coverage.log.histories()];
    const keys = new Set(healing.subjects.map(({ subject }) => subject.key));
    const targets = histories.filter(({ subject }) => keys.has(subject.key));
    // What rules have written is theirs, also under the labels of a target.
    const groups = histories.flatMap(({ subject }) =>
      subject.kind === 'group' ? [{ subject, healed: [], failures: [], seams: [] }] : [],
    );
    const failed = {
      matchers: seriesOf(targets),
      longestIntervalMs: longestIntervalOf(targets),
      removeMarkers: (markers: readonly StaleMarker[]) => this.#removeMarkers(markers),
    };
    const plan = { ...healing, subjects: [...healing.subjects, ...groups] };
    await copy(from, plan, failed, () => coverage.heal(healing));
  }

  /** Of a time that is in blocks by now they stay: each deletion would write a file of the block anew. */
  async #removeMarkers(markers: readonly StaleMarker[]): Promise<void> {
    const { env, blockRangeMs, deleteMarker, signal } = this.#options;
    const slices = new Slices(env.clock, signal);
    const sinceMs = env.clock.now() - blockRangeMs;
    for (const marker of markers) {
      if (marker.timeMs < sinceMs) continue;
      const matchers = [...marker.labels].map(([name, value]) => new Matcher(name, '=', value));
      await deleteMarker(marker, matchers);
      if (slices.isOver) await slices.pause();
    }
  }
}

function* windowStarts({ startMs, endMs }: Interval, rangeMs: number): Iterable<number> {
  const firstMs = Math.floor(startMs / rangeMs) * rangeMs;
  for (let atMs = firstMs; atMs < endMs; atMs += rangeMs) yield atMs;
}

function longestIntervalOf(histories: readonly SubjectHistory[]): number {
  return histories.reduce((longest, { intervalMs }) => Math.max(longest, intervalMs), 0);
}

/** No series of these targets is left out; those of others may come as well. */
function matchersOf(histories: readonly SubjectHistory[]): readonly Matcher[] {
  const values = new Set(histories.map(({ subject }) => subject.labels.get('instance')));
  if (values.size > MAX_NAMED || values.has('')) return [];
  const pattern = [...values].map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return [new Matcher('instance', '=~', pattern.join('|'))];
}

function seriesOf(histories: readonly SubjectHistory[]): readonly Matcher[] {
  const named = matchersOf(histories);
  return named.length > 0 ? named : [new Matcher(METRIC_NAME, '=~', '.+')];
}
