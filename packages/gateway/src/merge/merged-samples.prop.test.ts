import { SeededRandom } from '@pollux/base';
import { Matcher, wordsOf } from '@pollux/model';
import type { ResponseType } from '@pollux/remote';
import { MemoryBudget, NO_HINTS, type Queryable, type SeriesColumns } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GUARD_MS } from '../splice/testing/judge.ts';
import { ModelledPair } from '../splice/testing/modelled-pair.ts';
import { INTERVAL_MS, START_MS, WORLD_MS } from '../splice/testing/modelled-replica.ts';

const FORMS: readonly (readonly ResponseType[])[] = [['streamed-xor-chunks', 'samples'], []];
const NAMES = ['c_total', 'g', 'up', 'h', 'b_bucket'];

type Samples = ReadonlyMap<string, readonly string[]>;

/** Times and bits of each series. */
function samplesOf(series: readonly SeriesColumns[]): Samples {
  return new Map(
    series.map(({ labels, count, timestampsMs, values, histograms }) => {
      const words = wordsOf(values);
      const samples = Array.from({ length: count }, (_, i) => {
        const histogram = histograms?.[i] ?? null;
        const value = histogram?.count ?? `${words[i * 2]} ${words[i * 2 + 1]}`;
        return `${timestampsMs[i]} ${value}`;
      });
      return [String(labels), samples] as const;
    }),
  );
}

async function held(queryable: Queryable, name: string, minMs: number, maxMs: number) {
  const matchers = [Matcher.metric(name)];
  const request = { range: { minMs, maxMs }, matchers, hints: NO_HINTS, sorted: true };
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const source = queryable.select(request, context);
  const all: SeriesColumns[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next())
    all.push(...batch.filter(({ count }) => count > 0));
  return samplesOf(all);
}

async function inWorld(
  seed: number,
  how: Omit<ConstructorParameters<typeof ModelledPair>[1], 'guardMs'>,
  run: (pair: ModelledPair, random: SeededRandom) => Promise<void>,
): Promise<void> {
  const random = new SeededRandom(seed);
  const pair = new ModelledPair(random, { guardMs: GUARD_MS, ...how });
  try {
    await pair.ready();
    await pair.clock.advance(2_000);
    await run(pair, random);
  } finally {
    await pair.close();
  }
}

describe('remote read through the gateway', () => {
  it('gives of each series runs of samples that one replica has, in both forms, and no replica label', async () => {
    let switches = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), (seed) =>
        inWorld(seed, {}, async (pair, random) => {
          for (const name of NAMES) {
            const minMs = START_MS + random.below(WORLD_MS / 2);
            const maxMs = minMs + random.below(WORLD_MS / 2);
            const own = await Promise.all(
              pair.replicas.map((replica) => held(replica.held, name, minMs, maxMs)),
            );
            const range = { minMs, maxMs };
            const forms = await Promise.all(
              FORMS.map((form) => pair.read([Matcher.metric(name)], range, form)),
            );
            for (const series of forms) {
              for (const [labels, samples] of samplesOf(series)) {
                expect(labels).not.toContain('replica');
                const of = samples.map((sample) =>
                  own.findIndex((all) => all.get(labels)?.includes(sample)),
                );
                expect(of).not.toContain(-1);
                for (let i = 1; i < of.length; i++) {
                  if (of[i] === of[i - 1]) continue;
                  switches++;
                  const apartMs =
                    Number.parseInt(samples[i]!, 10) - Number.parseInt(samples[i - 1]!, 10);
                  expect(apartMs).toBeGreaterThanOrEqual(GUARD_MS);
                }
                // What either replica has all the time is there all the time, but for an interval and a guard.
                const most = Math.max(...own.map((all) => all.get(labels)?.length ?? 0));
                const lost = Math.ceil((GUARD_MS + INTERVAL_MS) / INTERVAL_MS) * 12;
                expect(samples.length).toBeGreaterThanOrEqual(most - lost);
              }
            }
          }
        }),
      ),
      { numRuns: 10 },
    );
    expect(switches).toBeGreaterThan(20);
  }, 120_000);

  it('gives what a server that has kept all would give, with the stores behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), (seed) => {
        const keptMs = START_MS + 600_000 + (seed % 1_800_000);
        const storeBehind = [{ startMs: START_MS - 600_000, endMs: keptMs }];
        return inWorld(seed, { storeBehind }, async (pair, random) => {
          const minMs = START_MS + INTERVAL_MS + random.below(600_000);
          const maxMs = keptMs + 60_000 + random.below(600_000);
          for (const name of ['c_total', 'g']) {
            for (const [preferred, { whole }] of pair.replicas.entries()) {
              const wish = new Matcher('replica', '=', pair.replicas[preferred]!.name);
              const truth = await held(whole, name, minMs, maxMs);
              for (const form of FORMS) {
                const series = await pair.read(
                  [Matcher.metric(name), wish],
                  { minMs, maxMs },
                  form,
                );
                expect(samplesOf(series)).toEqual(truth);
              }
            }
          }
        });
      }),
      { numRuns: 6 },
    );
  }, 120_000);
});
