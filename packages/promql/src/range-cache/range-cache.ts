import type { ChangeWatch } from '@pollux/storage';
import type { Counter, Gauge, Registry } from '@pollux/telemetry';
import type { Expr } from '../parser/ast.ts';
import { type StepWindow, stepWindow } from '../parser/time-span.ts';
import type { QueryAnswer, RangeMatrix } from '../result.ts';
import { joinedMatrix, matrixBytes, pointsOf, slicedMatrix } from './matrix-parts.ts';
import { isStepLocal } from './step-local.ts';

export type RangeTimes = {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
};

export type CachedRangeRequest = RangeTimes & {
  readonly query: string;
  readonly expr: Expr;
  readonly lookbackMs: number;
};

/** Runs the query over a part of its time, as without a cache. */
export type EvaluateRange = (times: RangeTimes) => Promise<QueryAnswer<RangeMatrix>>;

export type RangeCacheOptions = {
  readonly changes: ChangeWatch;
  readonly registry: Registry;
  readonly maxBytes: number;
  /** `--query.max-samples`. */
  readonly maxSamples: number;
};

type Entry = {
  readonly startMs: number;
  readonly endMs: number;
  readonly matrix: RangeMatrix;
  readonly bytes: number;
  /** Before the oldest of its parts was read, or was last seen to be as it was. */
  readonly mark: number;
  readonly peakSamples: number;
};

/** Larger answers are left to who evaluates, which may write them in another thread; so many bytes are looked up by their key. */
const MAX_POINTS = 100_000;
const MAX_STEPS = 11_000;
/** Queries known to be too large. */
const MAX_REFUSED = 1_000;

/**
 * Answers of range queries, so that a dashboard that comes again has only its new steps evaluated. An answer from the cache is,
 * bit for bit and remark for remark, what evaluation gives. Why:
 *
 * - **What is kept** are values of steps of a query text, step, phase (start modulo step) and lookback. The expression must be
 *   step-local ({@link isStepLocal}): the value of step t depends on nothing but samples in the windows of t.
 * - **How long it holds.** The engine of the data tells the least time of any sample that came, went or changed since a mark
 *   ({@link ChangeWatch}): by appends in order and late ones, deletions from their beginning, anything where blocks come, go, are
 *   merged, backfilled or found damaged. A step t whose windows reach up to t + after (negative offsets reach ahead) is used while
 *   t + after lies before that time. Steps in the future are no exception: what comes later lies at or before them. The mark is
 *   taken before anything is read, so what comes while a query runs counts as a change. Stale markers are samples. What
 *   lookback, range, offset and subqueries reach back to need not be known: a change in a window of t is at most t + after.
 * - **Fixed windows** (`@` with a time) must lie before the change, too, else nothing is used.
 * - **Remarks and errors**: only answers without any annotation are kept, so that those of the new steps are all there are; an
 *   error of any part is the error of the query, and leaves the cache as it was.
 * - **Limits**: when the peaks of samples of the parts together pass `--query.max-samples`, the whole is evaluated instead, and the
 *   limit decides. Time and memory are limited by what is really done.
 * - Native histograms are not kept. A process begins with an empty cache; nothing is on a disk.
 *
 * Whoever binds it leaves it out where answers depend on more than the watched data (remote read, down-sampled data), where
 * figures are asked for, and for rules, and clears it when the default step of subqueries changes.
 */
export class RangeCache {
  readonly #options: RangeCacheOptions;
  /** In the order of use, the latest last. */
  readonly #entries = new Map<string, Entry>();
  readonly #refused = new Set<string>();
  readonly #requests: Readonly<Record<'hit' | 'partial' | 'miss' | 'refused', Counter>>;
  readonly #steps: Readonly<Record<'reused' | 'evaluated', Counter>>;
  readonly #bytesGauge: Gauge;
  #bytes = 0;

  constructor(options: RangeCacheOptions) {
    this.#options = options;
    const { registry } = options;
    const requests = registry.counters(
      'pollux_query_result_cache_requests_total',
      'Range queries by what the result cache had of them; refused: of a kind, or too large, to be kept.',
      ['result'],
    );
    this.#requests = {
      hit: requests.with('hit'),
      partial: requests.with('partial'),
      miss: requests.with('miss'),
      refused: requests.with('refused'),
    };
    const steps = registry.counters(
      'pollux_query_result_cache_steps_total',
      'Steps of range queries that came from the result cache, and that were evaluated for it.',
      ['source'],
    );
    this.#steps = { reused: steps.with('reused'), evaluated: steps.with('evaluated') };
    this.#bytesGauge = registry.gauge(
      'pollux_query_result_cache_bytes',
      'Memory of kept results, roughly.',
    );
    registry
      .gauge('pollux_query_result_cache_max_bytes', 'Most memory of kept results.')
      .set(options.maxBytes);
    registry.gaugeFrom(
      'pollux_query_result_cache_entries',
      'Range queries of which something is kept.',
      () => this.#entries.size,
    );
  }

  /** False: the answer would not be kept; evaluate without asking the cache. */
  takes(request: CachedRangeRequest): boolean {
    const isTaken =
      isStepLocal(request.expr) &&
      Number.isSafeInteger(request.startMs) &&
      !this.#refused.has(keyOf(request));
    if (!isTaken) this.#requests.refused.inc();
    return isTaken;
  }

  /** The answer to a request that {@link takes}. Rejects as `evaluate` does. The figures are of what was evaluated. */
  async range(
    request: CachedRangeRequest,
    evaluate: EvaluateRange,
  ): Promise<QueryAnswer<RangeMatrix>> {
    const { changes, maxSamples } = this.#options;
    const key = keyOf(request);
    const { stepMs, startMs } = request;
    const endMs = lastStepMs(request);
    const window = stepWindow(request.expr, request.lookbackMs, request);
    const known = this.#entries.get(key) ?? null;
    const mark = changes.mark();
    const held =
      known === null ? null : heldPart(known, window, changes.changedSinceMs(known.mark), stepMs);
    if (held === null || held.endMs < startMs - stepMs || held.startMs > endMs + stepMs) {
      this.#requests.miss.inc();
      return this.#whole(key, { startMs, endMs, stepMs }, mark, evaluate);
    }
    const before =
      startMs < held.startMs ? { startMs, endMs: held.startMs - stepMs, stepMs } : null;
    const after = endMs > held.endMs ? { startMs: held.endMs + stepMs, endMs, stepMs } : null;
    const answers: QueryAnswer<RangeMatrix>[] = [];
    for (const part of [before, after]) if (part !== null) answers.push(await evaluate(part));
    const peakSamples = answers.reduce(
      (sum, { stats }) => sum + stats.peakSamples,
      held.peakSamples,
    );
    // What came meanwhile may be in the new part already, and so must be in the held one.
    const isHeld = isUntouched(held, window, changes.changedSinceMs(mark));
    if (
      !isHeld ||
      peakSamples > maxSamples ||
      answers.some(({ result }) => hasHistograms(result))
    ) {
      this.#requests.miss.inc();
      return this.#whole(key, { startMs, endMs, stepMs }, changes.mark(), evaluate);
    }
    const early = before === null ? [] : [answers[0]!.result];
    const late = after === null ? [] : [answers.at(-1)!.result];
    const joined = joinedMatrix([...early, held.matrix, ...late]);
    const result = slicedMatrix(joined, startMs, endMs);
    const evaluated = stepsOf(before) + stepsOf(after);
    this.#requests[evaluated === 0 ? 'hit' : 'partial'].inc();
    this.#steps.evaluated.inc(evaluated);
    this.#steps.reused.inc(stepsOf({ startMs, endMs, stepMs }) - evaluated);
    const annotations = answers.flatMap((answer) => answer.annotations);
    if (annotations.length === 0) {
      const union = {
        startMs: Math.min(startMs, held.startMs),
        endMs: Math.max(endMs, held.endMs),
        stepMs,
      };
      const isLong = stepsOf(union) > MAX_STEPS || pointsOf(joined) > MAX_POINTS;
      const kept = isLong ? { startMs, endMs } : union;
      this.#keep(key, {
        startMs: kept.startMs,
        endMs: kept.endMs,
        matrix: isLong ? joinedMatrix([result]) : joined,
        mark,
        peakSamples,
      });
    }
    return { result, annotations, stats: sumOfStats(answers) };
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#refused.clear();
    this.#bytes = 0;
    this.#bytesGauge.set(0);
  }

  async #whole(
    key: string,
    times: RangeTimes,
    mark: number,
    evaluate: EvaluateRange,
  ): Promise<QueryAnswer<RangeMatrix>> {
    const answer = await evaluate(times);
    this.#steps.evaluated.inc(stepsOf(times));
    const { result, annotations, stats } = answer;
    if (pointsOf(result) > MAX_POINTS) this.#refuse(key);
    else if (annotations.length === 0 && !hasHistograms(result)) {
      const { startMs, endMs } = times;
      // Columns may have room for more; what is kept has none.
      this.#keep(key, {
        startMs,
        endMs,
        matrix: joinedMatrix([result]),
        mark,
        peakSamples: stats.peakSamples,
      });
    }
    return answer;
  }

  #keep(key: string, entry: Omit<Entry, 'bytes'>): void {
    const bytes = matrixBytes(entry.matrix) + key.length * 2 + 200;
    this.#drop(key);
    if (pointsOf(entry.matrix) > MAX_POINTS || bytes > this.#options.maxBytes / 4) {
      this.#refuse(key);
      return;
    }
    this.#entries.set(key, { ...entry, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#options.maxBytes) break;
      this.#drop(oldest);
    }
    this.#bytesGauge.set(this.#bytes);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#bytesGauge.set(this.#bytes);
  }

  #refuse(key: string): void {
    this.#drop(key);
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.add(key);
  }
}

function keyOf({ query, stepMs, startMs, lookbackMs }: CachedRangeRequest): string {
  const phaseMs = ((startMs % stepMs) + stepMs) % stepMs;
  return `${stepMs} ${phaseMs} ${lookbackMs} ${query}`;
}

type HeldPart = {
  readonly startMs: number;
  readonly endMs: number;
  readonly matrix: RangeMatrix;
  readonly peakSamples: number;
};

/** The steps of an entry that nothing has touched; null when there are none. */
function heldPart(
  entry: Entry,
  window: StepWindow,
  changedMs: number,
  stepMs: number,
): HeldPart | null {
  const { startMs, matrix, peakSamples } = entry;
  let { endMs } = entry;
  if (!isUntouched(entry, window, changedMs)) {
    const { moving, fixed } = window;
    const isAnyKept = Number.isFinite(changedMs) && isBefore(fixed, changedMs) && moving.length > 0;
    if (!isAnyKept) return null;
    // The last step with step + after < changed.
    const steps = Math.ceil((changedMs - aheadMs(moving) - startMs) / stepMs) - 1;
    endMs = startMs + steps * stepMs;
  }
  if (endMs < startMs) return null;
  return { startMs, endMs, matrix: slicedMatrix(matrix, startMs, endMs), peakSamples };
}

function isUntouched(
  { endMs }: { readonly endMs: number },
  { moving, fixed }: StepWindow,
  changedMs: number,
): boolean {
  if (changedMs === Number.NEGATIVE_INFINITY || !isBefore(fixed, changedMs)) return false;
  return moving.length === 0 || endMs + aheadMs(moving) < changedMs;
}

/** How far behind a step its newest sample may be. */
function aheadMs(moving: StepWindow['moving']): number {
  return Math.max(...moving.map(({ afterMs }) => afterMs));
}

function isBefore(fixed: StepWindow['fixed'], changedMs: number): boolean {
  return fixed.every(({ maxMs }) => maxMs < changedMs);
}

function lastStepMs({ startMs, endMs, stepMs }: RangeTimes): number {
  return startMs + Math.floor((endMs - startMs) / stepMs) * stepMs;
}

function stepsOf(times: RangeTimes | null): number {
  return times === null ? 0 : Math.floor((times.endMs - times.startMs) / times.stepMs) + 1;
}

function hasHistograms(matrix: RangeMatrix): boolean {
  return matrix.series.some(({ histograms }) => histograms !== null);
}

function sumOfStats(answers: readonly QueryAnswer[]): QueryAnswer['stats'] {
  const sum = {
    queueMs: 0,
    prepareMs: 0,
    evalMs: 0,
    totalQueryableSamples: 0,
    samplesRead: 0,
    peakSamples: 0,
  };
  for (const { stats } of answers)
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += stats[name];
  return { ...sum, perStep: null };
}
