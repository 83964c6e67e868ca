import { DecodeError } from '@pollux/base';
import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLabels, encodeLabels } from './labels.ts';
import { LabelsInTurn } from './labels-in-turn.ts';

const names = fc.constantFrom('__name__', 'a', 'ab', 'é', 'instance', 'job');
const values = fc.oneof(fc.constantFrom('', 'x', 'xy', 'zx', '漢'), fc.string());
const sets = fc.array(fc.tuple(names, values), { maxLength: 6 }).map((pairs) => Labels.from(pairs));

describe('label sets one after another', () => {
  it('are those that each is alone, in any order, from one array or several', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(sets, fc.nat(3)), { maxLength: 20 }),
        fc.boolean(),
        (given, isOneArray) => {
          const reader = new LabelsInTurn();
          const all = new Uint8Array(64 * 1024);
          let end = 0;
          for (const [labels, gap] of given) {
            const fields = encodeLabels(labels);
            const data = isOneArray ? all : new Uint8Array(gap + fields.length);
            const start = isOneArray ? end + gap : gap;
            data.set(fields, start);
            end = start + fields.length;
            expect(reader.read(data, start, end).equals(labels)).toBe(true);
          }
        },
      ),
    );
  });

  it('may stand in any order within a set, as decodeLabels takes them', () => {
    const reader = new LabelsInTurn();
    const parts = [{ __name__: 'm' }, { b: '2' }, { a: '1' }].map((one) =>
      encodeLabels(Labels.from(one)),
    );
    const fields = new Uint8Array(Buffer.concat(parts));
    for (let i = 0; i < 3; i++)
      expect(reader.read(fields, 0, fields.length).toString()).toBe('{__name__="m", a="1", b="2"}');
  });

  it('are refused where decodeLabels finds them invalid, or no text', () => {
    const reader = new LabelsInTurn();
    const one = encodeLabels(Labels.from({ __name__: 'm', a: '1' }));
    const twice = new Uint8Array(Buffer.concat([one, one]));
    reader.read(one, 0, one.length);
    expect(() => reader.read(twice, 0, twice.length)).toThrow('duplicate label name "__name__"');
    const broken = one.slice();
    broken[broken.length - 1] = 0xff;
    expect(() => reader.read(broken, 0, broken.length)).toThrow(DecodeError);
    expect(decodeLabels(one, 0, one.length).labels.equals(reader.read(one, 0, one.length))).toBe(
      true,
    );
  });
});
