import { type Clock, Slices, VirtualClock } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemsOf, valuesIn } from './json-items.ts';

const still = (): Slices => new Slices(new VirtualClock(0));

describe('the items of a list', () => {
  it('are those that JSON.parse finds, with no fewer values than they have', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue({ maxDepth: 4 })),
        fc.boolean(),
        async (list, isWide) => {
          const body = Buffer.from(JSON.stringify(list, null, isWide ? ' ' : ''));
          const items = await itemsOf(body, still());
          const parsed = items?.map(({ from, to }) => JSON.parse(body.toString('utf8', from, to)));
          expect(parsed).toEqual(JSON.parse(body.toString()));
          for (const [index, { values }] of items!.entries()) {
            expect(values).toBeGreaterThanOrEqual(countOf(list[index]) - 1);
          }
          expect(valuesIn(body)).toBeGreaterThanOrEqual(countOf(list));
        },
      ),
    );
  });

  it('are none of what is no list', async () => {
    for (const text of ['', '{}', '1', '"[]"', '[', '[[]', '[]]', '[] []', '["]', ',[]', '}[]']) {
      expect(await itemsOf(Buffer.from(text), still()), text).toBeNull();
    }
  });

  it('are found in slices', async () => {
    let looks = 0;
    // A millisecond passes at each look.
    const clock: Pick<Clock, 'monotonic'> = { monotonic: () => looks++ };
    let isOpen = true;
    const turns = (function count(turn = 0): Promise<number> {
      return new Promise((resolve) => {
        setImmediate(() => resolve(isOpen ? count(turn + 1) : turn));
      });
    })();
    const body = Buffer.from(`[{"labels":{${'"a":"b",'.repeat(500_000)}"c":"d"}}]`);
    const items = await itemsOf(body, new Slices(clock as Clock));
    isOpen = false;
    expect(items).toMatchObject([{ values: 500_002 }]);
    expect(looks).toBeGreaterThan(body.length / (64 * 1024));
    expect(await turns).toBeGreaterThan(looks / 10);
  });
});

function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce<number>((sum, inner) => sum + countOf(inner), 0);
}
