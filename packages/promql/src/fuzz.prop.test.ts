import { readFileSync } from 'node:fs';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from './engine.ts';
import { QueryError } from './errors.ts';
import { ParseError } from './parser/parse-error.ts';
import { parseExpr } from './parser/parser.ts';
import { printExpr } from './parser/printer.ts';
import { MemorySeries } from './script/memory-series.ts';
import { ALL_FEATURES, arbitraryQuery, mutationsOf } from './testing/arbitrary-query.ts';
import { addOddSeries } from './testing/odd-series.ts';

/** Queries that once ended in a fault of the program, or held the event loop. */
const CRASHERS: readonly string[] = JSON.parse(
  readFileSync(new URL('../testdata/crashers.json', import.meta.url), 'utf8'),
);
const RUNS = Number(process.env.POLLUX_FUZZ_RUNS ?? 400);
const TIMEOUT_MS = 250;
/** Longer runs take longer than what is usual here. */
const EVALUATION_TIMEOUT_MS = Math.max(120_000, 100 * RUNS);
const PARSE_TIMEOUT_MS = Math.max(20_000, 50 * RUNS);
/** Room for the checks of a busy machine; without the time-out the worst of these queries run for days. */
const MAX_OVERRUN_MS = 5_000;
const MINUTE = 60_000;

const env = nodeEnv();
const queryable = new MemorySeries();
addOddSeries((labels, sample) => queryable.add(labels, sample));
const engine = new Engine({
  clock: env.clock,
  registry: new Registry(),
  log: Log.silent(),
  maxSamples: 20_000,
  maxMemoryBytes: 64_000_000,
  timeoutMs: TIMEOUT_MS,
  features: ALL_FEATURES,
});

/** Asks for one time and for a range; each must give an answer or an error of Prometheus, in time. */
async function survive(query: string): Promise<void> {
  const startedMs = performance.now();
  const questions = [
    () => engine.instant({ query, queryable, timeMs: 10 * MINUTE }),
    () =>
      engine.range({ query, queryable, startMs: 5 * MINUTE, endMs: 15 * MINUTE, stepMs: MINUTE }),
  ];
  for (const question of questions) {
    await question().catch((error: unknown) => {
      if (!(error instanceof QueryError)) throw error;
    });
  }
  expect(performance.now() - startedMs).toBeLessThan(2 * TIMEOUT_MS + MAX_OVERRUN_MS);
}

describe('queries that nobody would write', () => {
  it(
    'are answered, or refused with an error of the query',
    async () => {
      await fc.assert(fc.asyncProperty(arbitraryQuery, survive), { numRuns: RUNS });
    },
    EVALUATION_TIMEOUT_MS,
  );

  it(
    'are parsed or refused at a place, whatever is done to their text, and print as they read',
    () => {
      fc.assert(
        fc.property(mutationsOf(arbitraryQuery), (text) => {
          let printed: string;
          try {
            printed = printExpr(parseExpr(text, ALL_FEATURES));
          } catch (error) {
            if (error instanceof ParseError) return;
            throw error;
          }
          // As in Prometheus, a selector of nothing, which only info takes, leaves nothing where it stood.
          const readable = printed.replaceAll(', )', ', {})');
          const again = printExpr(parseExpr(readable, ALL_FEATURES));
          expect(again.replaceAll(', )', ', {})')).toBe(readable);
        }),
        { numRuns: 5 * RUNS },
      );
    },
    PARSE_TIMEOUT_MS,
  );

  it.each(CRASHERS)('%s does no harm any more', async (query) => {
    await survive(query);
  });

  it.each([
    ['10,000 parentheses', `${'('.repeat(10_000)}g${')'.repeat(10_000)}`, 'bad_data'],
    ['10,000 calls', `${'abs('.repeat(10_000)}g${')'.repeat(10_000)}`, 'bad_data'],
    ['10,000 signs', `${'-'.repeat(10_000)}g`, 'bad_data'],
    ['10,000 subqueries', `g${'[1m:1m]'.repeat(10_000)}`, 'bad_data'],
    ['10,000 powers', `${'2^'.repeat(10_000)}2`, 'bad_data'],
    ['100,000 terms', `g${' + g'.repeat(100_000)}`, 'bad_data'],
    ['a regex of a megabyte', `g{job=~"${'a|'.repeat(500_000)}b"}`, 'bad_data'],
    ['a regex of a billion states', 'g{job=~"((a{1000}){1000}){1000}"}', 'bad_data'],
    [
      'a regex for label_replace',
      'label_replace(g, "a", "$1", "job", "((a{1000}){1000}){1000}")',
      'execution',
    ],
    ['a subquery of 10^13 steps', 'count_over_time(vector(1)[290y:1ms])', 'too_many_samples'],
    ['10^13 steps without a sample', 'sum_over_time(nothing[290y:1ms])', 'timeout'],
    ['10^13 steps of a scalar', 'absent_over_time((vector(1) > 2)[290y:1ms])', 'timeout'],
    [
      'a label for each of 10^13 steps',
      'max_over_time(count_values("v", vector(time()))[290y:1ms])',
      // Whichever limit it meets first: making the labels takes about as long as it may.
      'too_many_samples or timeout',
    ],
    ['no number of series', 'topk(NaN, g)', 'execution'],
    ['more series than an int64 counts', 'limitk(1e300, g)', 'execution'],
    ['a factor out of range', 'double_exponential_smoothing(g[5m], -1, NaN)', 'execution'],
  ])('%s are refused in time', async (_, query, kind) => {
    const startedMs = performance.now();
    const failed = await engine.instant({ query, queryable, timeMs: 10 * MINUTE }).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(QueryError);
    expect(kind.split(' or ')).toContain((failed as QueryError).kind);
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_MS + MAX_OVERRUN_MS);
  });

  it('let other work go on while they run', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    await survive('sum_over_time(nothing[290y:1ms])');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });
});
