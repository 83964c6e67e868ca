import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { START_MS, WrittenWorld } from './testing/written-world.ts';

describe('a write through the gateway', () => {
  let directory: string;
  const worlds: WrittenWorld[] = [];
  async function newWorld(spool = '', at = directory): Promise<WrittenWorld> {
    const world = new WrittenWorld(at, spool);
    worlds.push(world);
    await world.settle();
    return world;
  }
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'pollux-spool-'));
  });
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['/write?db=x', 'store', '/write?db=x', {}],
    ['/api/v2/write?bucket=x', 'store', '/api/v2/write?bucket=x', {}],
    ['/store/write?db=x', 'store', '/write?db=x', {}],
    ['/api/v1/prom/write?db=x', 'store', '/api/v1/prom/write?db=x', {}],
    ['/api/v1/write', 'server', '/api/v1/write', { 'content-type': 'application/x-protobuf' }],
    ['/api/v2/alerts', 'alertmanager', '/api/v2/alerts', { 'content-type': 'application/json' }],
    [
      '/alertmanager/api/v2/alerts',
      'alertmanager',
      '/api/v2/alerts',
      { 'content-type': 'application/json' },
    ],
  ])('to %s reaches every %s as %s', async (target, kind, expected, headers) => {
    const world = await newWorld();
    const { status } = await world.post(target, '[]', headers);
    expect(status).toBe(204);
    for (const host of ['a', 'b']) {
      expect(world.member(`${kind}-${host}`).taken).toEqual([{ path: expected, body: '[]' }]);
    }
  });

  it('is kept for a member that is away, which gets all in order before anything newer', async () => {
    const world = await newWorld();
    world.member('store-b').isReachable = false;
    for (const body of ['1', '2', '3']) {
      expect((await world.post('/write?db=x', body)).status).toBe(204);
    }
    expect(world.bodies('store-a')).toEqual(['1', '2', '3']);
    expect(world.metric('pollux_gateway_spooled_total{member="store-b"}')).toBe(3);
    expect(world.metric('pollux_gateway_spool_bytes{member="store-b"}')).toBeGreaterThan(0);
    world.member('store-b').isReachable = true;
    expect((await world.post('/write?db=x', '4')).status).toBe(204);
    const lines = (): string[] => world.bodies('store-b').join('\n').split('\n').filter(Boolean);
    await world.untilTrue(() => lines().length === 4);
    expect(lines()).toEqual(['1', '2', '3', '4']);
    await world.untilTrue(() => world.metric('pollux_gateway_spool_bytes{member="store-b"}') === 0);
    await world.post('/write?db=x', '5');
    expect(lines()).toEqual(['1', '2', '3', '4', '5']);
    expect(world.metric('pollux_gateway_spooled_total{member="store-b"}')).toBe(4);
    expect(world.metric('pollux_gateway_spool_replayed_total{member="store-b"}')).toBe(4);
  });

  it('is taken while all members are away, and outlives the process', async () => {
    const world = await newWorld();
    for (const name of ['store-a', 'store-b']) world.member(name).isReachable = false;
    const { status, headers } = await world.post('/write?db=x', '1');
    expect([status, headers?.['x-pollux-member']]).toEqual([204, 'spool']);
    await world.close();
    const next = await newWorld();
    await next.untilTrue(() => next.bodies('store-a').length + next.bodies('store-b').length > 1);
    expect([next.bodies('store-a'), next.bodies('store-b')]).toEqual([['1'], ['1']]);
  });

  it('does not wait longer for a slow member than the spool’s patience', async () => {
    const world = await newWorld('spool: {patience: 2s}');
    world.member('store-a').isSilent = true;
    const startMs = world.clock.now();
    expect((await world.post('/write?db=x', '1')).status).toBe(204);
    expect(world.clock.now() - startMs).toBeLessThan(3_000);
    world.member('store-a').isSilent = false;
    await world.untilTrue(() => world.bodies('store-a').length === 1);
  });

  it('has the time of its arrival wherever it goes', async () => {
    const world = await newWorld();
    world.member('store-b').isReachable = false;
    await world.post('/write?db=x&precision=ms', 'bare');
    world.member('store-b').isReachable = true;
    await world.untilTrue(() => world.bodies('store-b').length === 1);
    expect(world.bodies('store-b')).toEqual(world.bodies('store-a'));
    expect(world.bodies('store-b')[0]).toMatch(/^bare 17000000\d+ ms$/);
  });

  it('is answered as the members do when all refuse it, and never tried again', async () => {
    const world = await newWorld();
    for (const name of ['store-a', 'store-b']) world.member(name).status = 400;
    const { status, body } = await world.post('/write?db=x', '1');
    expect([status, new TextDecoder().decode(body as Uint8Array)]).toEqual([
      400,
      'store-a says 400',
    ]);
    expect(world.metric('pollux_gateway_spooled_total{member="store-a"}')).toBeNull();
  });

  it('is a success that one member refused when another took it, and counted', async () => {
    const world = await newWorld();
    world.member('store-a').status = 400;
    expect((await world.post('/write?db=x', '1')).status).toBe(204);
    const refused = 'pollux_gateway_writes_refused_by_member_total{member="store-a"}';
    expect(world.metric(refused)).toBe(1);
  });

  it('that a member refuses together with others is delivered alone, and only the bad one dropped', async () => {
    const world = await newWorld();
    world.member('store-b').isReachable = false;
    for (const body of ['1', 'bad', '2']) await world.post('/write?db=x', body);
    world.member('store-b').refuses = 'bad';
    world.member('store-b').isReachable = true;
    const dropped = 'pollux_gateway_spool_dropped_total{member="store-b",reason="refused"}';
    await world.untilTrue(() => world.bodies('store-b').length === 2);
    expect(world.bodies('store-b')).toEqual(['1', '2']);
    expect(world.metric(dropped)).toBe(1);
    expect(world.metric('pollux_gateway_spool_replayed_total{member="store-b"}')).toBe(2);
  });

  it('that a member refuses when it comes from the spool is dropped, and the next delivered', async () => {
    const world = await newWorld();
    world.member('store-b').isReachable = false;
    await world.post('/write?db=x', '1');
    world.member('store-b').isReachable = true;
    world.member('store-b').status = 400;
    const dropped = 'pollux_gateway_spool_dropped_total{member="store-b",reason="refused"}';
    await world.untilTrue(() => world.metric(dropped) === 1);
    world.member('store-b').status = 204;
    await world.post('/write?db=x', '2');
    await world.untilTrue(() => world.bodies('store-b').length === 1);
    expect(world.bodies('store-b')).toEqual(['2']);
  });

  it('is refused with the time to come back when neither member nor disk takes it', async () => {
    const world = await newWorld();
    for (const name of ['store-a', 'store-b']) world.member(name).isReachable = false;
    world.isDiskFull = true;
    const { status, headers } = await world.post('/write?db=x', '1');
    expect([status, headers?.['retry-after']]).toEqual([503, '5']);
    world.member('store-a').isReachable = true;
    await world.settle();
    expect((await world.post('/write?db=x', '2')).status).toBe(204);
    const lost = 'pollux_gateway_spool_dropped_total{member="store-b",reason="disk"}';
    expect(world.metric(lost)).toBe(1);
    world.isDiskFull = false;
    world.member('store-a').isReachable = false;
    await world.settle();
    expect((await world.post('/write?db=x', '3')).status).toBe(204);
    expect(world.bodies('store-a')).toEqual(['2']);
  });

  it('is refused when the spool is full, as long as nobody else takes it', async () => {
    const world = await newWorld('spool: {max_bytes: 2KB}');
    for (const name of ['store-a', 'store-b']) world.member(name).isReachable = false;
    const body = 'x'.repeat(1_000);
    expect((await world.post('/write?db=x', body)).status).toBe(204);
    expect((await world.post('/write?db=x', body)).status).toBe(503);
  });

  it('is not delivered when it has become too old', async () => {
    const world = await newWorld('spool: {max_age: 1m}');
    world.member('store-b').isReachable = false;
    await world.post('/write?db=x', '1');
    const dropped = 'pollux_gateway_spool_dropped_total{member="store-b",reason="age"}';
    await world.untilTrue(() => world.metric(dropped) === 1);
    world.member('store-b').isReachable = true;
    await world.post('/write?db=x', '2');
    await world.untilTrue(() => world.bodies('store-b').length === 1);
    expect(world.bodies('store-b')).toEqual(['2']);
  });

  it('of alerts is delivered without those that have ended since', async () => {
    const world = await newWorld();
    world.member('alertmanager-b').isReachable = false;
    const endsAt = new Date(START_MS + 30_000).toISOString();
    const alerts = [{ labels: { n: 'short' }, endsAt }, { labels: { n: 'open' } }];
    const json = { 'content-type': 'application/json' };
    await world.post('/api/v2/alerts', JSON.stringify(alerts), json);
    await world.clock.advance(60_000);
    world.member('alertmanager-b').isReachable = true;
    await world.untilTrue(() => world.bodies('alertmanager-b').length === 1);
    expect(JSON.parse(world.bodies('alertmanager-b')[0] ?? '')).toEqual([alerts[1]]);
    const expired = 'pollux_gateway_spool_dropped_total{member="alertmanager-b",reason="expired"}';
    expect(world.metric(expired)).toBe(1);
  });

  it.each([
    ['/api/v1/write', 'x', { 'content-type': 'text/plain' }, 415],
    ['/api/v1/write', 'x', { 'content-encoding': 'zstd' }, 415],
    ['/api/v2/alerts', '[]', {}, 415],
    ['/api/v2/alerts', '{', { 'content-type': 'application/json' }, 400],
  ])('to %s of %j with %j is refused', async (target, body, headers, expected) => {
    const world = await newWorld();
    expect((await world.post(target, body, headers)).status).toBe(expected);
    expect([...world.members.values()].flatMap(({ taken }) => taken)).toEqual([]);
  });

  it('without a directory goes to those that are there, and nobody is told of a success else', async () => {
    const world = await newWorld('', '');
    world.member('store-b').isReachable = false;
    expect((await world.post('/write?db=x', '1')).status).toBe(204);
    const lost = 'pollux_gateway_spool_dropped_total{member="store-b",reason="no_spool"}';
    expect(world.metric(lost)).toBe(1);
    world.member('store-a').isReachable = false;
    expect((await world.post('/write?db=x', '2')).status).toBe(503);
  });
});
