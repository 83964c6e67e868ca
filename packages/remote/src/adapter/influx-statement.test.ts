import { Matcher, type MatchOperator } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import { influxStatement } from './influx-statement.ts';

const RANGE = { minMs: 1, maxMs: 2 };
const TIME = 'time >= 1ms AND time <= 2ms GROUP BY *';

function statement(policy: string, ...matchers: (readonly [string, MatchOperator, string])[]) {
  const text = influxStatement(
    matchers.map((parts) => new Matcher(...parts)),
    RANGE,
    policy,
  );
  expect(text.startsWith('SELECT "value"::float FROM ')).toBe(true);
  return text.slice('SELECT "value"::float FROM '.length);
}

describe('a selector as InfluxQL', () => {
  it('names the measurement and the policy, and lets no text end before its end', () => {
    expect(statement('a"b', ['__name__', '=', 'up'])).toBe(`"a\\"b"."up" WHERE ${TIME}`);
    expect(statement('', ['__name__', '=', 'x"; DROP DATABASE d --\n'])).toBe(
      `"x\\"; DROP DATABASE d --\\n" WHERE ${TIME}`,
    );
    expect(statement('', ['__name__', '=', 'm'], ['l', '=', "\\' OR 1=1"])).toBe(
      `"m" WHERE "l"::tag = '\\\\\\' OR 1=1' AND ${TIME}`,
    );
  });

  it('anchors regular expressions as a whole, within their slashes', () => {
    expect(statement('rp', ['__name__', '=~', 'a|b/c'])).toBe(
      `"rp"./^(?s:a|b\\/c)$/ WHERE ${TIME}`,
    );
  });

  it('leaves to the reader what labels that are missing, or negations of the name, decide', () => {
    const text = statement(
      '',
      ['__name__', '!=', 'm'],
      ['a', '=', ''],
      ['b', '!=', ''],
      ['c', '=~', '(x)?'],
      ['d', '!~', 'y'],
    );
    expect(text).toBe(`/.+/ WHERE "d"::tag !~ /^(?s:y)$/ AND ${TIME}`);
  });

  it('asks for no time that InfluxDB does not know', () => {
    const range = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };
    expect(influxStatement([Matcher.metric('m')], range, '')).toContain(
      'time >= -9223372036854ms AND time <= 9223372036854ms',
    );
  });
});
