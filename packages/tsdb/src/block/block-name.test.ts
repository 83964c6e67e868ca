import { SeededRandom, ulid, VirtualClock } from '@pollux/base';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newBlockName } from './block-name.ts';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

function nameAt(nowMs: number, entries: readonly string[], seed = 1): string {
  const files = { list: () => [...entries] } as unknown as Parameters<
    typeof newBlockName
  >[0]['files'];
  const clock = new VirtualClock(nowMs);
  return newBlockName({ clock, random: new SeededRandom(seed), files }, '/data');
}

describe('the name of a new block', () => {
  it('comes behind those of all blocks, wherever the wall clock was set', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(2 ** 41), fc.nat()), { maxLength: 6 }),
        fc.nat(2 ** 41),
        fc.constantFrom('', '.tmp-for-creation', '.tmp-for-deletion'),
        (blocks, nowMs, ending) => {
          const names = blocks.map(([atMs, seed]) => ulid(atMs, new SeededRandom(seed)));
          const name = nameAt(nowMs, [...names.map((old) => old + ending), 'wal', 'lock']);
          expect(name).toMatch(ULID);
          for (const old of names) expect(name > old).toBe(true);
        },
      ),
    );
  });

  it('is of now while the clock goes on, and of one later than the last when it stands or goes back', () => {
    const first = nameAt(5_000, []);
    expect(first).toBe(ulid(5_000, new SeededRandom(1)));
    expect(nameAt(6_000, [first])).toBe(ulid(6_000, new SeededRandom(1)));
    for (const nowMs of [0, 4_000, 5_000]) {
      expect(nameAt(nowMs, [first]).slice(0, 10)).toBe(
        ulid(5_001, new SeededRandom(1)).slice(0, 10),
      );
    }
  });

  it('is of now when a directory has the last name there can be, and where other things lie', () => {
    for (const entry of [`7${'Z'.repeat(25)}`, 'Z'.repeat(26), `7${'Z'.repeat(26)}`]) {
      expect(nameAt(5_000, [entry])).toBe(ulid(5_000, new SeededRandom(1)));
    }
  });
});
