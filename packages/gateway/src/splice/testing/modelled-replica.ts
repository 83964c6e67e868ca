import type { Random } from '@pollux/base';
import { type FloatHistogram, isStaleAt, Labels, wordsOf } from '@pollux/model';
import { MemorySeries } from '@pollux/promql/script';
import {
  type CoverageReport,
  type HealingPlan,
  type Interval,
  type IntervalSet,
  intersect,
  intervalSet,
  MemoryBudget,
  NO_HINTS,
  overlaps,
  planHealing,
  type Queryable,
  SubjectHistory,
  type SubjectReport,
  subtract,
  type TimeRange,
  union,
} from '@pollux/storage';

export const START_MS = 1_700_000_000_000;
export const INTERVAL_MS = 10_000;
export const WORLD_MS = 3_600_000;
const END_MS = START_MS + WORLD_MS;

/** A thing that is scraped: what it shows is a pure function of the true time. */
export type ModelledTarget = {
  readonly instance: string;
  /** When its counters began again at 0. */
  readonly restartsMs: readonly number[];
  /** When nobody could scrape it. */
  readonly dead: readonly Interval[];
};

export type Outcome = 'done' | 'failed' | 'missed';
export type Schedule = { readonly timeMs: number; readonly outcome: Outcome };

/** Faults of one replica. */
export type Faults = {
  /** Its process was not there. */
  readonly down: readonly Interval[];
  /** It did not scrape a target, by instance. */
  readonly missed: ReadonlyMap<string, readonly Interval[]>;
  /** Its link to a target was broken. */
  readonly broken: ReadonlyMap<string, readonly Interval[]>;
};

/** One of a pair: what it holds, and what it would hold had its own process and scheduling never failed. */
export class ModelledReplica {
  readonly name: string;
  /** H_i of invariant I3. */
  readonly whole = new MemorySeries(64);
  readonly #kept = new MemorySeries(64);
  #droppedBeforeMs = Number.NEGATIVE_INFINITY;
  readonly schedules = new Map<string, readonly Schedule[]>();
  readonly faults: Faults;
  #healed: readonly HealingPlan[] = [];

  constructor(
    name: string,
    how: {
      readonly targets: readonly ModelledTarget[];
      readonly faults: Faults;
      readonly random: Random;
      /** How much its clock is ahead. */
      readonly skewMs: number;
    },
  ) {
    this.name = name;
    this.faults = how.faults;
    for (const target of how.targets) {
      const phaseMs = how.random.below(INTERVAL_MS);
      this.schedules.set(target.instance, this.#scrape(target, phaseMs, how.skewMs));
    }
  }

  /** Fills the times in which it was down with what `twin` holds. */
  async heal(twin: ModelledReplica, guardMs: number): Promise<void> {
    const report = twin.report(END_MS);
    const down = intervalSet(this.faults.down);
    const plans = down.map((gap, i) =>
      planHealing({
        gap,
        fence: {
          startMs: down[i - 1]?.endMs ?? 0,
          endMs: down[i + 1]?.startMs ?? Number.MAX_SAFE_INTEGER,
        },
        histories: this.#histories(),
        healedRuns: [],
        twin: { name: twin.name, report },
        guardMs,
      }),
    );
    const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
    const range = { minMs: 0, maxMs: END_MS };
    for (const { subjects } of plans) {
      const source = twin.held.select(
        { range, matchers: [], hints: NO_HINTS, sorted: true },
        context,
      );
      for (let batch = await source.next(); batch !== null; batch = await source.next()) {
        for (const { labels, count, timestampsMs, values, histograms } of batch) {
          const key = keyOf(labels.get('instance'));
          const healed = subjects.find(({ subject }) => subject.key === key)?.healed ?? [];
          const words = wordsOf(values);
          for (let i = 0; i < count; i++) {
            const timestampMs = timestampsMs[i]!;
            if (!overlaps(healed, timestampMs, timestampMs + 1)) continue;
            const isStale = isStaleAt(words, i);
            const histogram = histograms?.[i] ?? null;
            this.#kept.add(labels, { timestampMs, value: values[i]!, isStale, histogram });
          }
        }
      }
    }
    this.#healed = plans;
  }

  /** What of the time in which it was down is filled; `healed` and `ownSeams` are of one target. */
  healedOf(instance: string): {
    readonly healed: IntervalSet;
    readonly ownSeams: IntervalSet;
    readonly seams: IntervalSet;
    readonly common: IntervalSet;
  } {
    const own = this.#healed.flatMap(({ subjects }) =>
      subjects.filter(({ subject }) => subject.key === keyOf(instance)),
    );
    const seams = intervalSet(this.#healed.flatMap((plan) => plan.seams));
    return {
      healed: intervalSet(own.flatMap((one) => one.healed)),
      ownSeams: intervalSet(own.flatMap((one) => one.seams)),
      seams,
      common: intervalSet([...seams, ...this.#healed.flatMap((plan) => plan.common)]),
    };
  }

  /** What it has of all that it saw. */
  get held(): Queryable {
    const [kept, fromMs] = [this.#kept, this.#droppedBeforeMs];
    if (fromMs === Number.NEGATIVE_INFINITY) return kept;
    const left = ({ minMs, maxMs }: TimeRange): TimeRange => ({
      minMs: Math.max(minMs, fromMs),
      maxMs,
    });
    return {
      labelNames: (range, matchers, limit) => kept.labelNames(left(range), matchers, limit),
      labelValues: (name, range, matchers, limit) =>
        kept.labelValues(name, left(range), matchers, limit),
      select: (request, context) =>
        kept.select({ ...request, range: left(request.range) }, context),
    };
  }

  /** Its retention passes by. */
  dropBefore(timeMs: number): void {
    this.#droppedBeforeMs = timeMs;
  }

  report(nowMs: number): CoverageReport {
    const healed = this.#healed;
    const common = intervalSet(healed.flatMap((plan) => [...plan.common, ...plan.seams]));
    const subjects = this.#histories().map((history): SubjectReport => {
      const { subject, intervalMs } = history;
      const own = healed.flatMap((plan) =>
        plan.subjects.filter((one) => one.subject.key === subject.key),
      );
      const filled = intervalSet(own.flatMap((one) => [...one.healed, ...one.seams]));
      const window = { startMs: START_MS, endMs: END_MS };
      const failures = intervalSet(own.flatMap((one) => one.failures));
      return {
        subject,
        intervalMs,
        gaps: subtract(history.gaps(window, nowMs), filled),
        failures: union(history.failures(window), failures),
      };
    });
    // What lies before the first moment of the world is not there any more.
    const before = this.faults.down.find(({ startMs }) => startMs < START_MS);
    const sinceMs = Math.max(this.#droppedBeforeMs, before?.endMs ?? START_MS);
    return {
      configIdentity: 'x',
      nowMs,
      sinceMs,
      bucketsSinceMs: sinceMs,
      serverGaps: subtract(
        intervalSet(this.faults.down),
        intervalSet([{ startMs: 0, endMs: sinceMs }, ...common]),
      ),
      seams: intersect(intervalSet(healed.flatMap(({ seams }) => seams)), [
        { startMs: START_MS, endMs: END_MS },
      ]),
      subjects: subjects.filter(({ gaps, failures }) => gaps.length + failures.length > 0),
    };
  }

  #histories(): readonly SubjectHistory[] {
    return [...this.schedules].map(([instance, schedules]) => {
      const labels = Labels.from({ job: 'j', instance });
      const subject = { key: keyOf(instance), kind: 'target', labels, metricNames: [] } as const;
      const history = new SubjectHistory(subject, INTERVAL_MS);
      const [first] = schedules;
      const last = schedules.at(-1);
      if (first === undefined || last === undefined) return history;
      history.addLifetime(first.timeMs, last.timeMs + INTERVAL_MS);
      for (const { timeMs, outcome } of schedules) history.record(timeMs, outcome);
      return history;
    });
  }

  #scrape(target: ModelledTarget, phaseMs: number, skewMs: number): readonly Schedule[] {
    const { down, missed, broken } = this.faults;
    const { instance } = target;
    const meets = (intervals: readonly Interval[] | undefined, timeMs: number): boolean =>
      (intervals ?? []).some(({ startMs, endMs }) => timeMs >= startMs && timeMs < endMs);
    const schedules: Schedule[] = [];
    let wasUp = false;
    for (let timeMs = START_MS + phaseMs; timeMs < END_MS; timeMs += INTERVAL_MS) {
      const isMissed = meets(down, timeMs) || meets(missed.get(instance), timeMs);
      const isBroken = meets(broken.get(instance), timeMs) || meets(target.dead, timeMs - skewMs);
      const stores = isMissed ? [this.whole] : [this.whole, this.#kept];
      for (const store of stores) addScrape(store, target, timeMs, { isBroken, wasUp, skewMs });
      wasUp = !isBroken;
      schedules.push({ timeMs, outcome: isMissed ? 'missed' : isBroken ? 'failed' : 'done' });
    }
    return schedules;
  }
}

function keyOf(instance: string): string {
  return `target/j/${instance}`;
}

function addScrape(
  store: MemorySeries,
  target: ModelledTarget,
  timeMs: number,
  how: { readonly isBroken: boolean; readonly wasUp: boolean; readonly skewMs: number },
): void {
  const { isBroken, wasUp, skewMs } = how;
  const { instance } = target;
  const labels = (name: string, more: Record<string, string> = {}): Labels =>
    Labels.from({ __name__: name, job: 'j', instance, ...more });
  store.add(labels('up'), { timestampMs: timeMs, value: isBroken ? 0 : 1 });
  if (isBroken && !wasUp) return;
  const count = countAt(target, timeMs - skewMs);
  const add = (series: Labels, value: number): void =>
    store.add(series, { timestampMs: timeMs, value, isStale: isBroken });
  add(labels('c_total'), count);
  add(labels('g'), Math.sin((timeMs - skewMs) / 100_000 + instance.length));
  add(labels('b_bucket', { le: '1' }), Math.floor(count / 3));
  add(labels('b_bucket', { le: '+Inf' }), count);
  if (isBroken) add(labels('h'), 0);
  else store.add(labels('h'), { timestampMs: timeMs, value: 0, histogram: histogramOf(count) });
}

/** Of a counter that grows by 7 a second since the target began. */
function countAt({ restartsMs }: ModelledTarget, trueMs: number): number {
  const begins = restartsMs.filter((restartMs) => restartMs <= trueMs).at(-1) ?? START_MS - 9e6;
  return Math.floor(((trueMs - begins) * 7) / 1_000);
}

function histogramOf(count: number): FloatHistogram {
  const low = Math.floor(count / 3);
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count * 1.5,
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(low, count - low),
    negativeBuckets: new Float64Array(),
    customValues: null,
    isInteger: true,
    isStale: false,
  };
}
