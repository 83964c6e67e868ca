import { InputError } from '@pollux/base';
import { Labels, setStaleAt, wordsOf } from '@pollux/model';
import { type Copy, WINDOW_MS } from '@pollux/shards';
import { describe, expect, it } from 'vitest';
import { decodeDifference, decodeHeld, decodeSums, encodeDifference } from './wire.ts';

const START_MS = 236_100 * WINDOW_MS;
const TIMES = Float64Array.of(START_MS, START_MS + 1_000, START_MS + 2_000);

function copyOf(change: Partial<Copy['data']> & { readonly kind: Copy['kind'] }): Copy {
  const data = { count: 3, timesMs: TIMES, nanos: null, cells: TIMES, texts: null, ...change };
  const tags = Labels.from({ __name__: 'm', job: 'größe "x"' });
  return { measurement: 'm', tags, replica: 'A', field: 'value', kind: change.kind, data };
}

describe('what twins send each other', () => {
  it('comes as it was: bits of floats, integers, texts, nanoseconds', () => {
    const floats = Float64Array.of(-0, Number.NaN, 1e-320);
    setStaleAt(wordsOf(floats), 1);
    const integers = new Float64Array(BigInt64Array.of(-1n, 2n ** 62n, 0n).buffer);
    const copies = [
      copyOf({ kind: 'float', cells: floats }),
      copyOf({ kind: 'integer', cells: integers, nanos: Int32Array.of(0, 999_999, 7) }),
      copyOf({ kind: 'string', cells: Float64Array.of(1, 0, 1), texts: ['b', 'a'] }),
    ];
    const got = decodeDifference(encodeDifference({ copies, isWhole: false }), START_MS);
    expect(got.isWhole).toBe(false);
    for (const [i, { data, tags, ...names }] of got.copies.entries()) {
      const sent = copies[i]!;
      expect({ ...names, tags: tags.toObject() }).toEqual({
        measurement: 'm',
        replica: 'A',
        field: 'value',
        kind: sent.kind,
        tags: sent.tags.toObject(),
      });
      expect(data.timesMs).toEqual(TIMES);
      expect(data.nanos).toEqual(sent.data.nanos);
      if (sent.data.texts === null) expect(wordsOf(data.cells)).toEqual(wordsOf(sent.data.cells));
    }
    const { cells, texts } = got.copies[2]!.data;
    expect(Array.from(cells, (cell) => texts?.[cell])).toEqual(['a', 'b', 'a']);
  });

  it('is refused when it is damaged, or of another window', () => {
    const good = encodeDifference({ copies: [copyOf({ kind: 'float' })], isWhole: true });
    const half = Buffer.from(new Uint8Array(12)).toString('base64');
    const times = Buffer.from(TIMES.buffer).toString('base64');
    for (const bad of [
      'null',
      '{}',
      good.replace('"A"', '""'),
      good.replace('"float"', '"number"'),
      good.replaceAll(times, half),
      good.replace(`"cells":"${times}"`, '"cells":""'),
      good.replace('"measurement":"m"', '"measurement":1'),
      good.replace(times, Buffer.from(Float64Array.of(1, 3, 2).buffer).toString('base64')),
    ])
      expect(() => decodeDifference(bad, START_MS), bad).toThrow(InputError);
    expect(() => decodeDifference(good, START_MS + WINDOW_MS)).toThrow(InputError);
    expect(decodeDifference(good, START_MS).copies).toHaveLength(1);
    for (const bad of ['[]', '{"sums":[1]}', `{"sums":[${new Array(64).fill('"1"').join()}]}`])
      expect(() => decodeSums(bad), bad).toThrow(InputError);
    expect(() => decodeHeld('{"held":{"a":"b"}}')).toThrow(InputError);
    expect(decodeHeld('{"held":{"a":1}}').get('a')).toBe(1);
  });
});
