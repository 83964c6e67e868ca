import { createHmac } from 'node:crypto';
import { StopSource, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestStore } from '../../test/harness.ts';
import { RunningQueries } from '../query/running-queries.ts';

let store: TestStore;
const clock = new VirtualClock(Date.UTC(2026, 0, 1));
const open = async (settings: Readonly<Record<string, string>> = {}): Promise<void> => {
  store = await new TestStore().open(settings, { ...nodeEnv(), clock });
};
afterEach(() => store.close());

describe('MessagePack', () => {
  beforeEach(() => open());
  const ask = (q: string, more: Readonly<Record<string, string>> = {}) =>
    store.request('POST', `/query?${new URLSearchParams({ db: 'd', q, ...more })}`, {
      headers: { accept: 'application/x-msgpack' },
    });

  it('is byte for byte that of influxd', async () => {
    await store.query('CREATE DATABASE d');
    await store.write('d', 'types,t=a f=1.5,i=-300i,b=true,s="x" 1000000001');
    const typed = await ask('SELECT * FROM types GROUP BY t', { epoch: 'ms' });
    expect(typed.headers['content-type']).toBe('application/x-msgpack');
    expect(Buffer.from(typed.bytes).toString('hex')).toBe(
      '81a7726573756c74739182ac73746174656d656e745f696400a67365726965739184a46e616d65a57479706573a474616773' +
        '81a174a161a7636f6c756d6e7395a474696d65a162a166a169a173a676616c7565739195d103e8c3cb3ff8000000000000d1fed4a178',
    );
    const timed = await ask('SELECT f FROM types; KILL QUERY 99');
    expect(Buffer.from(timed.bytes).toString('hex')).toBe(
      '81a7726573756c74739282ac73746174656d656e745f696400a67365726965739183a46e616d65a57479706573a7636f6c75' +
        '6d6e7392a474696d65a166a676616c7565739192c70c05000000000000000100000001cb3ff800000000000081a56572726f72' +
        `b4${Buffer.from('no such query id: 99').toString('hex')}`,
    );
    expect(Buffer.from((await ask('SELECT')).bytes).toString()).toContain('error parsing query');
  });
});

describe('bearer tokens', () => {
  const sign = (claims: object, secret = 'key', alg = 'HS256'): string => {
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const ask = async (token: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await store.request('GET', '/query?q=SHOW+DATABASES', { headers })).text.trim();
  };
  const exp = Date.UTC(2026, 0, 2) / 1_000;

  it('name a user when they are signed and have not run out; refusals are those of influxd', async () => {
    await open({ INFLUXDB_HTTP_AUTH_ENABLED: 'true', INFLUXDB_HTTP_SHARED_SECRET: 'key' });
    store.service.meta.createUser('admin', 'x', true);
    expect(await ask(sign({ username: 'admin', exp }))).toContain('"databases"');
    const refusals: readonly (readonly [string, string])[] = [
      [sign({ username: 'admin', exp }, 'other'), 'signature is invalid'],
      [sign({ username: 'admin', exp: 1 }), 'Token is expired'],
      [sign({ username: 'admin' }), 'token expiration required'],
      [sign({ username: 5, exp }), 'username in token must be a string'],
      [sign({ username: 'nobody', exp }), 'user not found'],
      [sign({ username: 'admin', exp }, 'key', 'none'), 'unexpected signing method: none'],
      ['a.b', 'token contains an invalid number of segments'],
    ];
    for (const [token, refusal] of refusals) {
      expect(await ask(token)).toBe(`{"error":"${refusal}"}`);
    }
  });

  it('are refused without a shared secret', async () => {
    await open({ INFLUXDB_HTTP_AUTH_ENABLED: 'true' });
    store.service.meta.createUser('admin', 'x', true);
    expect(await ask(sign({ username: 'admin', exp }, ''))).toBe(
      '{"error":"bearer auth disabled"}',
    );
  });
});

describe('what the store tells of itself', () => {
  beforeEach(() => open());

  it('explains what a query would read, in the form of influxd', async () => {
    await store.query('CREATE DATABASE d');
    await store.write('d', 'm,a=b x=1 1\nm,a=c x=2 1');
    const lines = async (q: string): Promise<unknown> => {
      const text = await store.query(q, { db: 'd' });
      const { results } = JSON.parse(text) as { results: { series: { values: unknown }[] }[] };
      return results[0]?.series[0]?.values;
    };
    expect(await lines('EXPLAIN SELECT x, a FROM m')).toEqual([
      ['EXPRESSION: <nil>'],
      ['AUXILIARY FIELDS: a::tag, x::float'],
      ['NUMBER OF SHARDS: 1'],
      ['NUMBER OF SERIES: 2'],
    ]);
    expect(await lines('EXPLAIN SELECT max(x) - min(x) FROM m')).toEqual([
      ['EXPRESSION: max(x::float)'],
      ['NUMBER OF SHARDS: 1'],
      ['NUMBER OF SERIES: 2'],
      [''],
      ['EXPRESSION: min(x::float)'],
      ['NUMBER OF SHARDS: 1'],
      ['NUMBER OF SERIES: 2'],
    ]);
    expect(await lines('EXPLAIN SELECT x FROM no')).toEqual([['']]);
    expect(String(await lines('EXPLAIN ANALYZE SELECT mean(x) FROM m'))).toContain(
      '│   └── statement: SELECT mean(x) FROM m',
    );
  });

  it('shows the queries that run, statistics, diagnostics, and both as /debug/vars', async () => {
    const text = await store.query('SHOW QUERIES', { db: 'd' });
    expect(text).toMatch(/\[\[1,"SHOW QUERIES","d","[^"]+","running"\]\]/);
    expect(await store.query("SHOW STATS FOR 'queryExecutor'")).toContain(
      '"columns":["queriesActive","queriesExecuted","queriesFinished","queryDurationNs"],"values":[[1,2,1,',
    );
    expect(await store.query("SHOW DIAGNOSTICS FOR 'build'")).toContain('1.8.10');
    const { text: variables } = await store.request('GET', '/debug/vars');
    expect(JSON.parse(variables)).toMatchObject({
      queryExecutor: { name: 'queryExecutor', values: { queriesActive: 0, queriesExecuted: 3 } },
    });
    expect(await store.query('KILL QUERY 99')).toContain('no such query id: 99');
  });
});

describe('running queries', () => {
  beforeEach(() => open());

  it('are killed by number, end with their time and their client, and are limited', async () => {
    const queries = new RunningQueries(clock, 2, 5_000);
    const client = new StopSource();
    const first = queries.attach('SELECT 1', 'd', client);
    const second = queries.attach('SELECT 2', 'd', new StopSource());
    expect(() => queries.attach('SELECT 3', 'd', client)).toThrow(
      'max-concurrent-queries limit exceeded(3, 2)',
    );
    queries.kill(second.id);
    expect(second.signal.reason).toMatchObject({ message: 'query interrupted' });
    expect(queries.list().map(({ isKilled }) => isKilled)).toEqual([false, true]);
    second.end();
    client.abort(new Error('gone'));
    expect(first.signal.aborted).toBe(true);
    expect(queries.list()).toEqual([]);
    const third = queries.attach('SELECT 3', 'd', new StopSource());
    await clock.advance(5_000);
    expect(third.signal.reason).toMatchObject({ message: 'query-timeout limit exceeded' });
    third.end();
    third.end();
    expect([queries.executed, queries.finished]).toEqual([3, 3]);
  });
});
