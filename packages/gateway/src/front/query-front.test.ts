import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EVERYONE, type HttpResponse, StopSource, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import type { Exchange } from '@pollux/http';
import { ActiveQueries, activeQueryJson } from '@pollux/promql';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayMetrics } from '../metrics.ts';
import { DEFAULT_FRONT, type FrontConfig } from './front-config.ts';
import { frontMetrics } from './front-metrics.ts';
import { QueryFront } from './query-front.ts';

/** A front over members that answer when they are told to. */
class World {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly registry = new Registry();
  readonly active = new ActiveQueries(this.clock);
  readonly asked: { readonly exchange: Exchange; readonly answer: () => void }[] = [];
  readonly front: QueryFront;

  constructor(config: Partial<FrontConfig> = {}) {
    const { registry } = this;
    this.front = new QueryFront({
      env: { ...nodeEnv(), clock: this.clock },
      log: Log.silent(),
      metrics: frontMetrics(registry, () => this.front.gate),
      memberMetrics: gatewayMetrics(registry),
      config: { ...DEFAULT_FRONT, ...config },
      lookbackMs: 300_000,
      cache: null,
      active: this.active,
      queries: { handle: (exchange) => this.#handle(exchange) },
    });
  }

  query(text: string, from: Partial<Exchange['request']> = {}, user = ''): Promise<HttpResponse> {
    const signal = new StopSource();
    const principal = { ...EVERYONE, user };
    const request = {
      method: 'GET',
      target: '/api/v1/query',
      headers: {},
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => new Uint8Array(),
      stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
      signal,
      principal,
      ...from,
    };
    const query = new URLSearchParams({ query: text });
    return this.front.handle(
      { request, path: '/api/v1/query', params: {}, query, principal, signal: request.signal },
      false,
    );
  }

  async answerNext(): Promise<void> {
    this.asked.shift()?.answer();
    await this.clock.advance(0);
  }

  list(): { id: string; query: string; phase: string }[] {
    return this.active.list().map(activeQueryJson) as ReturnType<World['list']>;
  }

  metric(line: string): number {
    const text = renderText(this.registry.gather());
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    return Number(found?.slice(line.length + 1) ?? Number.NaN);
  }

  #handle(exchange: Exchange): Promise<HttpResponse> {
    return new Promise((resolve) => {
      const answer = (): void =>
        resolve({ status: 200, headers: { 'x-pollux-replica': 'a' }, body: '{}' });
      this.asked.push({ exchange, answer });
    });
  }
}

describe('queries before they are planned', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'pollux-front-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are asked once while they are equal, as seen by one person', async () => {
    const world = new World();
    const answers = [world.query('up'), world.query('up'), world.query('down')];
    const other = world.query('up', { headers: { authorization: 'Basic x' } });
    await world.clock.advance(0);
    expect(world.asked.map(({ exchange }) => exchange.query.get('query'))).toEqual([
      'up',
      'down',
      'up',
    ]);
    for (let left = 3; left > 0; left--) await world.answerNext();
    for (const answer of [...answers, other]) expect((await answer).status).toBe(200);
    expect(world.metric('pollux_gateway_coalesced_total')).toBe(1);
  });

  it('wait while their user has as many as are allowed, and others do not', async () => {
    const world = new World({ max_concurrent_per_user: 1, max_queued_per_user: 1 });
    const first = world.query('1', {}, 'ann');
    const second = world.query('2', {}, 'ann');
    const third = await world.query('3', {}, 'ann');
    const bob = world.query('4', {}, 'bob');
    await world.clock.advance(0);
    expect([third.status, third.headers?.['retry-after']]).toEqual([429, '1']);
    expect(String(third.body)).toContain('queries.max_queued_per_user');
    expect(world.list().map(({ query, phase }) => [query, phase])).toEqual([
      ['1', 'running'],
      ['2', 'queued'],
      ['4', 'running'],
    ]);
    expect(world.metric('pollux_gateway_queries_running')).toBe(2);
    expect(world.metric('pollux_gateway_queries_waiting')).toBe(1);
    await world.answerNext();
    expect((await first).status).toBe(200);
    await world.answerNext();
    await world.answerNext();
    expect([(await second).status, (await bob).status]).toEqual([200, 200]);
    const rejected = 'pollux_gateway_queries_rejected_total{limit="queries.max_queued_per_user"}';
    expect(world.metric(rejected)).toBe(1);
    expect(world.list()).toEqual([]);
  });

  it('are refused when they have waited too long', async () => {
    const world = new World({ max_concurrent: 1, queue_timeout: 1_000 });
    void world.query('1');
    const second = world.query('2');
    await world.clock.advance(1_000);
    expect((await second).status).toBe(429);
  });

  it('can be ended, which ends the work at the members when nobody else waits for it', async () => {
    const world = new World();
    const first = world.query('up');
    const second = world.query('up');
    await world.clock.advance(0);
    const [one, two] = world.list();
    expect(world.active.kill(one?.id ?? '')).toBe(true);
    const answer = await first;
    expect([answer.status, String(answer.body)]).toEqual([
      499,
      expect.stringContaining('the query was killed'),
    ]);
    const signal = world.asked[0]?.exchange.signal;
    expect(signal?.aborted).toBe(false);
    expect(world.active.kill(two?.id ?? '')).toBe(true);
    expect((await second).status).toBe(499);
    expect(signal?.aborted).toBe(true);
    expect(world.active.kill('x')).toBe(false);
  });

  it('that are slow are told by a line of JSON', async () => {
    const file = path.join(directory, 'slow.log');
    const world = new World({ slow_log: { file, threshold: 2_000 } });
    const quick = world.query('quick');
    const slow = world.query('slow', {}, 'ann');
    await world.clock.advance(0);
    await world.answerNext();
    await quick;
    await world.clock.advance(3_000);
    await world.answerNext();
    await slow;
    world.front.close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        time: '2023-11-14T22:13:23.000Z',
        query: 'slow',
        start: 1_700_000_000,
        end: 1_700_000_000,
        step: 0,
        user: 'ann',
        client: '127.0.0.1',
        replica: 'a',
        status: 200,
        queue_ms: 0,
        ms: 3_000,
      },
    ]);
  });
});
