import { describe, expect, it } from 'vitest';
import { hasInfluxd, NO_INFLUXD } from '../../peers/real-influxd.ts';
import { failuresOf, run } from './run.ts';
import { sameAnswer } from './same-answer.ts';

const SEED = 42;
const BATCHES = 120;
const QUERIES = 150;

describe.skipIf(!hasInfluxd)(`InfluxQL and the real influxd${NO_INFLUXD}`, () => {
  it(`answers ${BATCHES} seeded writes and ${QUERIES} queries alike (npm run differential -- influxql asks more)`, async () => {
    expect(failuresOf(await run({ seed: SEED, batches: BATCHES, queries: QUERIES }))).toEqual([]);
  });
});

describe('the comparison of two answers', () => {
  const answer = (cell: string, name = 'm'): string =>
    `{"results":[{"statement_id":0,"series":[{"name":"${name}","columns":["v"],"values":[[${cell}]]}]}]}`;

  it('forgives a millionth of a millionth of a float and nothing more', () => {
    expect(sameAnswer(answer('1.5'), answer('1.5000000000000002'))).toBe(true);
    expect(sameAnswer(answer('1.5'), answer('1.50000000001'))).toBe(false);
    expect(sameAnswer(answer('9223372036854775807'), answer('9223372036854775806'))).toBe(false);
    expect(sameAnswer(answer('1'), answer('null'))).toBe(false);
    expect(sameAnswer(answer('1'), answer('"1"'))).toBe(false);
    expect(sameAnswer(answer('1'), answer('1', 'n'))).toBe(false);
    expect(sameAnswer('{"results":[{"statement_id":0}]}', answer('1'))).toBe(false);
    expect(sameAnswer('204 ', '400 {"error":"x"}')).toBe(false);
  });
});
