import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import {
  MemoryBudget,
  type Queryable,
  type SelectRequest,
  type SeriesColumns,
} from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Annotations } from '../../annotations.ts';
import { QueryError } from '../../errors.ts';
import { buildOperator } from '../../exec/build-operator.ts';
import { ExecContext } from '../../exec/context.ts';
import { figuresOf } from '../../exec/query-figures.ts';
import { runPlan } from '../../exec/run-plan.ts';
import { type QueryTimes, resolveDurations } from '../../parser/duration-expr.ts';
import { ParseError } from '../../parser/parse-error.ts';
import { parseExpr } from '../../parser/parser.ts';
import { writeResultJson } from '../../result-json.ts';
import { MemorySeries } from '../../script/memory-series.ts';
import { ALL_FEATURES, arbitraryQuery } from '../../testing/arbitrary-query.ts';
import { addOddSeries } from '../../testing/odd-series.ts';
import { buildPlan, type OptionalPass } from '../build.ts';
import { planText } from '../plan-text.ts';

const ALL: readonly OptionalPass[] = [
  'matcher-propagation',
  'time-narrowing',
  'label-projection',
  'selector-merging',
];
const RUNS = Number(process.env.POLLUX_FUZZ_RUNS ?? 150);
const MINUTE = 60_000;
const LOOKBACK_MS = 5 * MINUTE;
const LIMITS = { maxSamples: 20_000, maxMemoryBytes: 64_000_000, timeoutMs: 250 };

const { clock } = nodeEnv();
const memory = new MemorySeries();
addOddSeries((labels, sample) => memory.add(labels, sample));
// Series of equal labels but one, and of two names, so that match groups have several.
for (const [name, zone] of [
  ['g', 'x'],
  ['g', 'y'],
  ['up', 'x'],
  ['up', 'y'],
] as const) {
  for (let i = 0; i < 40; i++) {
    const labels = Labels.from({ __name__: name, job: i % 3 === 0 ? 'c' : 'a', zone });
    memory.add(labels, { timestampMs: i * 30_000, value: (i * 11) % 17 });
  }
}

/** Gives no more than was asked for: no other label, no sample outside the windows, nothing when what is lent was given back. */
class Grudging implements Queryable {
  readonly labelNames = memory.labelNames.bind(memory);
  readonly labelValues = memory.labelValues.bind(memory);
  selects = 0;

  select(
    request: SelectRequest,
    context: Parameters<Queryable['select']>[1],
  ): ReturnType<Queryable['select']> {
    this.selects++;
    const source = memory.select(request, context);
    let lent: readonly SeriesColumns[] = [];
    return {
      warnings: [],
      close: () => source.close(),
      next: async () => {
        if (request.isLent === true) for (const columns of lent) spoil(columns);
        const batch = await source.next();
        lent = batch?.map((columns) => grudged(columns, request)) ?? [];
        return batch === null ? null : lent;
      },
    };
  }
}

function spoil({ timestampsMs, values }: SeriesColumns): void {
  timestampsMs.fill(-1);
  values.fill(12_345);
}

function grudged(columns: SeriesColumns, { windows, hints }: SelectRequest): SeriesColumns {
  const { timestampsMs, values, histograms, startTimestampsMs } = columns;
  const isSeen = (timeMs: number): boolean => {
    if (windows === undefined || windows === null) return true;
    const { firstEndMs, stepMs, widthMs } = windows;
    const endMs = firstEndMs + Math.max(0, Math.ceil((timeMs - firstEndMs) / stepMs)) * stepMs;
    return timeMs > endMs - widthMs;
  };
  const kept = Array.from({ length: columns.count }, (_, i) => i).filter((i) =>
    isSeen(timestampsMs[i]!),
  );
  const { labels: projection } = hints;
  const names = new Set(projection?.names);
  return {
    ...columns,
    labels: !projection
      ? columns.labels
      : projection.isExclusion
        ? columns.labels.drop(names)
        : columns.labels.keep(names),
    count: kept.length,
    timestampsMs: Float64Array.from(kept, (i) => timestampsMs[i]!),
    values: picked(values, kept),
    histograms: histograms === null ? null : kept.map((i) => histograms[i] ?? null),
    startTimestampsMs: startTimestampsMs && Float64Array.from(kept, (i) => startTimestampsMs[i]!),
  };
}

/** With the bits of stale markers. */
function picked(values: Float64Array, kept: readonly number[]): Float64Array {
  const result = new BigUint64Array(kept.length);
  const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  for (const [to, from] of kept.entries()) result[to] = bits[from]!;
  return new Float64Array(result.buffer);
}

type Asked = { readonly query: string; readonly times: QueryTimes; readonly isInstant: boolean };

/** What a user sees of a query; null for one that was not finished, or is none. */
async function seen({ query, times, isInstant }: Asked, without: readonly OptionalPass[]) {
  const signal = new AbortController().signal;
  const queryable = new Grudging();
  const context = new ExecContext({
    query,
    queryable,
    read: { signal, budget: new MemoryBudget(LIMITS.maxMemoryBytes) },
    annotations: new Annotations(query),
    options: {
      lookbackMs: LOOKBACK_MS,
      delayedNameRemoval: false,
      useStartTimestamps: false,
      typeAndUnitLabels: false,
    },
    times,
    isInstant,
    maxSamples: LIMITS.maxSamples,
    clock,
    timeoutMs: LIMITS.timeoutMs,
    build: buildOperator,
  });
  try {
    const expr = resolveDurations(parseExpr(query, ALL_FEATURES), times, query);
    const options = { times, defaultStepMs: MINUTE, lookbackMs: LOOKBACK_MS };
    const plan = buildPlan(expr, { ...options, without: new Set(without) });
    const result = await runPlan(plan, context);
    const pieces: Uint8Array[] = [];
    writeResultJson(result, { write: (piece) => pieces.push(piece) });
    const remarks = context.annotations.list().map(({ kind, text }) => `${kind} ${text}`);
    // The peak takes the largest histogram that was read for all of a window.
    const { peakSamples, ...figures } = figuresOf(context, times);
    return {
      text: Buffer.concat(pieces).toString(),
      remarks: remarks.sort(),
      figures,
      plan: planText(plan),
      selects: queryable.selects,
    };
  } catch (error) {
    if (error instanceof ParseError) return null;
    if (!(error instanceof QueryError)) throw error;
    if (error.kind === 'timeout' || error.kind === 'too_many_samples') return null;
    return {
      text: `${error.kind} ${error.message}`,
      remarks: [],
      figures: null,
      plan: '',
      selects: 0,
    };
  }
}

const selectors = fc.constantFrom(
  ...[
    'g',
    'up',
    'g{job="a"}',
    'g{zone="x"}',
    'g{zone!="x"}',
    'up{job=~"a|c"}',
    'up{zone=""}',
    '{job="a"}',
  ],
  ...['c_total', 'c_total{job="a"}', 'h', 'mixed', 'g @ 600', 'g offset 2m', 'nhcb{job="b"}'],
);
const vectors = fc.oneof(
  { weight: 3, arbitrary: selectors },
  fc
    .tuple(
      fc.constantFrom('rate', 'sum_over_time', 'last_over_time', 'max_over_time', 'resets'),
      selectors,
      fc.constantFrom('1m', '5m'),
    )
    .filter(([, text]) => !/ (@|offset) /.test(text))
    .map(([func, text, window]) => `${func}(${text}[${window}])`),
  fc
    .tuple(selectors, fc.constantFrom('5m:1m', '20m:7m', '10m:90s'))
    .map(([text, window]) => `max_over_time((${text})[${window}])`),
);
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['quantile', '0.3, '],
  ['topk', '1, '],
  ['count_values', '"v", '],
]);
const parts = fc.oneof(
  vectors,
  fc
    .tuple(
      fc.constantFrom('sum', 'avg', 'max', 'count', 'quantile', 'topk', 'stddev', 'count_values'),
      fc.constantFrom('', 'by (job)', 'by (zone)', 'without (zone)', 'without (job, le)'),
      vectors,
    )
    .map(([operator, how, text]) => {
      const parameter = PARAMETERS.get(operator) ?? '';
      return `${operator} ${how} (${parameter}${text})`;
    }),
);
const joined = fc
  .tuple(
    parts,
    fc.constantFrom('+', '/', '>', '== bool', 'and', 'or', 'unless', 'atan2'),
    fc.constantFrom(
      ...['', 'on (job)', 'on (job, zone)', 'ignoring (zone)', 'on (zone) group_left ()'],
      ...['on (job, zone) group_right ()', 'ignoring (zone) group_left ()', 'fill (0)'],
    ),
    parts,
  )
  .map(([left, operator, how, right]) =>
    /and|or|unless/.test(operator) && /group|fill/.test(how)
      ? `${left} ${operator} ${right}`
      : `${left} ${operator} ${how} (${right})`,
  );
// What one query names twice is read once, where selector-merging does its part.
const twice = fc
  .tuple(parts, fc.constantFrom('+', '/ on (job, zone)', '> bool', 'or'))
  .map(([part, operator]) => `(${part}) ${operator} (${part})`);
const queries = fc.oneof(
  joined,
  twice,
  fc.tuple(joined, parts).map(([a, b]) => `(${a}) / ${b}`),
  arbitraryQuery,
);
const times = fc.constantFrom(
  { startMs: 10 * MINUTE, endMs: 10 * MINUTE, stepMs: 0 },
  { startMs: 2 * MINUTE, endMs: 18 * MINUTE, stepMs: MINUTE },
  { startMs: 0, endMs: 20 * MINUTE, stepMs: 7 * MINUTE },
  { startMs: 0, endMs: 19 * MINUTE, stepMs: 10_000 },
);
/** One question for each pass that its plan is known to be changed by, so that no seed leaves a pass unused. */
const CERTAIN: Readonly<Record<OptionalPass, string>> = {
  'matcher-propagation': 'g{job="a"} / up',
  'time-narrowing': 'max_over_time(g[5m])',
  'label-projection': 'sum by (job) (g)',
  'selector-merging': 'g / g',
};
const RANGE = { startMs: 0, endMs: 20 * MINUTE, stepMs: 7 * MINUTE };
const asked = fc
  .tuple(queries, times)
  .map(([query, when]) => ({ query, times: when, isInstant: when.stepMs === 0 }));

describe('a plan', () => {
  it.each(ALL)(
    'gives the same answer, remarks and figures with and without %s',
    async (pass) => {
      const others = ALL.filter((name) => name !== pass);
      let used = 0;
      await fc.assert(
        fc.asyncProperty(asked, async (question) => {
          const plain = await seen(question, ALL);
          const [alone, all] = [await seen(question, others), await seen(question, [])];
          if (plain === null || alone === null || all === null) return;
          if (alone.plan !== plain.plan && alone.figures !== null) used++;
          for (const one of [alone, all]) {
            expect([one.text, one.remarks]).toEqual([plain.text, plain.remarks]);
          }
          // Series that can meet nobody are not counted where their conditions were handed on.
          if (pass !== 'matcher-propagation') expect(alone.figures).toEqual(plain.figures);
        }),
        {
          numRuns: RUNS,
          examples: [[{ query: CERTAIN[pass], times: RANGE, isInstant: false }]],
        },
      );
      expect(used).toBeGreaterThan(0);
    },
    120_000,
  );

  it.each([
    ['a / sum(a)', 'binary /[select(a; read once as 1), sum by()[select(a; read once as 1)]]'],
    ['a{x="1"} / b', 'binary /[select(a{x="1"}), select(b{x="1"})]'],
    ['a / on (x) group_left () b{x="1"}', 'binary /[select(a{x="1"}), select(b{x="1"})]'],
    ['a{x="1"} / on (x) group_left () b', 'binary /[select(a{x="1"}), select(b)]'],
    ['a{x="1"} + fill (0) b', 'binary +[select(a{x="1"}), select(b)]'],
    ['a{x="1"} or b', 'binary or[select(a{x="1"}), select(b)]'],
    ['a{x="1"} unless b{y="2"}', 'binary unless[select(a{x="1"}), select(b{x="1",y="2"})]'],
    ['a{x="1"} * rate(b[1m])', 'binary *[select(a{x="1"}), rate[windows of 1m(b)]]'],
  ])('of %s at one time is %s', (query, text) => {
    expect(planOf(query, { startMs: 0, endMs: 0, stepMs: 0 })).toBe(text);
  });

  it('reads only what steps look at when they are further apart than their windows are wide', () => {
    const hourly = { startMs: 0, endMs: 24 * 60 * MINUTE, stepMs: 60 * MINUTE };
    expect(planOf('rate(a[5m])', hourly)).toBe('rate[windows of 5m(a; only what steps look at)]');
    expect(planOf('rate(a[1h])', hourly)).toBe('rate[windows of 1h(a)]');
    expect(planOf('a', hourly)).toBe('select(a; only what steps look at)');
    expect(planOf('max_over_time(a[1h:1m])', hourly)).toBe(
      'max_over_time[subquery(1h:1m)[select(a)]]',
    );
  });

  it('asks storage once for what several selectors read', async () => {
    const when = { startMs: 0, endMs: 19 * MINUTE, stepMs: MINUTE };
    const query = '(g - g offset 1m) / (g + sum(g))';
    const question = { query, times: when, isInstant: false };
    expect((await seen(question, ALL))?.selects).toBe(4);
    expect((await seen(question, []))?.selects).toBe(2);
  });
});

function planOf(query: string, when: QueryTimes): string {
  const expr = resolveDurations(parseExpr(query, ALL_FEATURES), when, query);
  const options = { times: when, defaultStepMs: MINUTE, lookbackMs: LOOKBACK_MS };
  return planText(buildPlan(expr, { ...options, without: new Set() }));
}
