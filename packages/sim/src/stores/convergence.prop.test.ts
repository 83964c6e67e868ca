import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Away,
  batchOf,
  MINUTES,
  MINUTES_PER_BATCH,
  SETTLE_MS,
  StoreWorld,
} from './store-world.ts';

const REPLICAS = ['A', 'B'] as const;
const BATCHES = (MINUTES / MINUTES_PER_BATCH) * REPLICAS.length;
const STORES = ['store-a', 'store-b'] as const;
const FLUSH_MS = 61_000;

type Trouble =
  | { readonly kind: 'again'; readonly batch: number }
  | { readonly kind: 'flush' }
  | {
      readonly kind: 'crash';
      readonly batch: number;
      readonly survives: 'none' | 'some' | 'all';
    };

const someBatch = fc.nat({ max: BATCHES - 1 });
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('again' as const), batch: someBatch }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'flush' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      batch: someBatch,
      survives: fc.constantFrom('none' as const, 'some' as const, 'all' as const),
    }),
  },
);
/** One store's past: every batch in some order, and what happens before which of them. */
const past = fc.record({
  order: fc.shuffledSubarray(
    Array.from({ length: BATCHES }, (_, i) => i),
    { minLength: BATCHES },
  ),
  troubles: fc.array(fc.tuple(someBatch, trouble), { maxLength: 14 }),
});
const away: fc.Arbitrary<readonly Away[]> = fc.array(
  fc.record({ from: fc.nat({ max: MINUTES }), minutes: fc.integer({ min: 1, max: 60 }) }),
  { maxLength: 3 },
);

it('stores that were given the same in any order, with crashes, answer alike', {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ a: past, b: past, awayA: away, awayB: away, seed: fc.nat() }),
      async ({ a, b, awayA, awayB, seed }) => {
        const bodies = Array.from({ length: BATCHES }, (_, index) => {
          const replica = REPLICAS[index % REPLICAS.length]!;
          const first = Math.floor(index / REPLICAS.length) * MINUTES_PER_BATCH;
          return batchOf(replica, first, replica === 'A' ? awayA : awayB);
        });
        const world = new StoreWorld(seed);
        for (const name of [...STORES, 'whole']) await world.add(name);
        for (const body of bodies) if (body !== null) await world.write('whole', body);
        const unsettled = await world.answers('whole');
        for (const [index, { order, troubles }] of [a, b].entries()) {
          const name = STORES[index]!;
          for (const [at, batch] of order.entries()) {
            for (const [before, one] of troubles) {
              if (before !== at) continue;
              if (one.kind === 'flush') await world.world.advance(FLUSH_MS);
              else if (one.kind === 'crash')
                await world.crash(name, bodies[one.batch]!, one.survives);
              else if (bodies[one.batch] !== null) await world.write(name, bodies[one.batch]!);
            }
            const body = bodies[batch]!;
            if (body !== null) await world.write(name, body);
          }
        }
        await world.world.advance(SETTLE_MS + 10_000);
        const whole = await world.answers('whole');
        for (const name of STORES) expect(await world.answers(name), name).toEqual(whole);
        if (awayA.length === 0) {
          // The first replica is whole: giving the other's copy up is not to be seen, but by who prefers it.
          const preferred = 2;
          expect(whole[preferred]).toBe(whole[0]);
          expect(whole.filter((_, i) => i !== preferred)).toEqual(
            unsettled.filter((_, i) => i !== preferred),
          );
        }
        expect(world.logs.filter((line) => line.includes('level=error'))).toEqual([]);
        await world.end();
      },
    ),
    { numRuns: 8 },
  );
});
