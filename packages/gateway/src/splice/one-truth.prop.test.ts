import { SeededRandom } from '@pollux/base';
import { parseExpr, stepWindow } from '@pollux/promql/parser';
import { mergeQueryables } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectorsOf } from '../merge/choose-replica.ts';
import { viewPast } from '../past-view.ts';
import { planQuery } from '../plan.ts';
import { anyQuery, anyTimes } from './testing/any-query.ts';
import { type Case, GUARD_MS, judge, type KnownQuery } from './testing/judge.ts';
import { LOOKBACK_MS, ModelledPair, type Times, type Told } from './testing/modelled-pair.ts';

const QUERIES_A_WORLD = 24;

type Answerer = (pair: ModelledPair, known: KnownQuery, times: Times) => Promise<Told>;
const throughGateway: Answerer = (pair, { query }, times) => pair.ask(query, times);

/** Judges queries over one world; the first fault that was found. */
async function world(
  seed: number,
  how: {
    readonly guardMs?: number;
    readonly isStale?: boolean;
    readonly hidesSeams?: boolean;
    readonly answerer?: Answerer;
  } = {},
): Promise<{ readonly cases: readonly Case[]; readonly fault: string | null }> {
  const { guardMs = GUARD_MS, isStale = false, answerer = throughGateway } = how;
  const { hidesSeams = false } = how;
  const random = new SeededRandom(seed);
  const pair = new ModelledPair(random, { guardMs, isStale, hidesSeams });
  const cases: Case[] = [];
  try {
    await pair.ready();
    for (let i = 0; i < QUERIES_A_WORLD; i++) {
      const known = anyQuery(random);
      const times = anyTimes(random);
      const told = await answerer(pair, known, times);
      const verdict = await judge(pair, known, times, told);
      cases.push(...verdict.cases);
      if (verdict.fault !== null) return { cases, fault: verdict.fault };
    }
    return { cases, fault: null };
  } finally {
    await pair.close();
  }
}

describe('what the gateway answers of replicas with gaps', () => {
  it('is what one that was never down would say, or a lawful splice, or has a warning', async () => {
    const counts = { alone: 0, spliced: 0, gap: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const { cases, fault } = await world(seed);
        for (const one of cases) counts[one]++;
        expect(fault).toBeNull();
      }),
      { numRuns: 12 },
    );
    const total = counts.alone + counts.spliced + counts.gap;
    for (const count of Object.values(counts)) expect(count / total).toBeGreaterThanOrEqual(0.05);
  }, 120_000);
});

/** What a gateway could do wrong; the judge must see each. */
const CANARIES: Readonly<Record<string, Parameters<typeof world>[1]>> = {
  'samples of both replicas blended': { answerer: blended },
  'coverage that is out of date': { isStale: true },
  'seams without a guard': { guardMs: 0 },
  'gaps filled by a twin without telling where': { hidesSeams: true },
  'windows without their offset': { answerer: withoutOffset },
};

describe('the judge', () => {
  it.each(Object.entries(CANARIES))(
    'finds %s',
    async (_, how) => {
      for (let seed = 0; seed < 30; seed++) {
        const { fault } = await world(seed, how);
        if (fault !== null) return;
      }
      expect.unreachable('30 worlds and no fault');
    },
    120_000,
  );
});

async function blended(pair: ModelledPair, { query }: KnownQuery, times: Times): Promise<Told> {
  const { warnings } = await pair.ask(query, times);
  const [first, ...others] = pair.replicas.map(({ held }) => held);
  return { points: await pair.evaluate(query, times, mergeQueryables(first!, others)), warnings };
}

/** As the gateway, but that it looks for gaps where the samples would be without the offset. */
async function withoutOffset(
  pair: ModelledPair,
  { query }: KnownQuery,
  times: Times,
): Promise<Told> {
  const told = await pair.ask(query, times);
  const bare = query.replaceAll(/ offset \d+s/g, '');
  if (bare === query || told.warnings.length > 0) return told;
  const window = stepWindow(parseExpr(bare), LOOKBACK_MS, times);
  const nowMs = pair.clock.now();
  const past = viewPast(
    pair.replicas.map((replica) => ({ name: replica.name, report: replica.report(nowMs) })),
    selectorsOf([query]) ?? [],
  );
  const request = { ...times, window, past, preferred: 0, canSplice: true, isDivisible: false };
  const { replica } = planQuery(request).pieces[0]!;
  if (replica === null) return told;
  const { held } = pair.replicas[replica]!;
  return { points: await pair.evaluate(query, times, held), warnings: [] };
}
