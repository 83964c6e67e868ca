import {
  type Env,
  EVERYONE,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpPoolOptions,
  type HttpRequest,
  OperatingError,
  PoolOverRequests,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { encodeHeader, type IntervalSet, intervalSet } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { parseGatewayConfig } from './config.ts';
import { Gateway } from './gateway.ts';

const CONFIG = `
groups:
  - name: servers
    kind: server
    members:
      - {name: a, url: 'http://a:9090'}
      - {name: b, url: 'http://b:9090'}
health_interval: 1s
lookback_delta: 10s
`;
const START_MS = 1_700_000_000_000;

type Reply = {
  readonly status: number;
  readonly replica: unknown;
  readonly json: {
    readonly data: { readonly result: readonly { readonly values: readonly [number, string][] }[] };
    readonly warnings?: readonly string[];
    readonly error?: string;
  };
};

/** A server that answers every step with its own name's code, knows its gaps, and can be broken. */
class FakeServer {
  gaps: IntervalSet = [];
  /** Known to the server, not yet in a polled report. */
  freshGaps: IntervalSet = [];
  /** Of a target that no query here touches; in the polled report. */
  otherGaps: IntervalSet = [];
  details: { status: number; body: unknown } = { status: 404, body: '' };
  state: 'up' | 'refusing' | 'silent' | 'overtaxed' = 'up';
  readonly value: string;
  readonly asked: string[] = [];

  constructor(value: string) {
    this.value = value;
  }

  answer(
    request: HttpClientRequest,
    nowMs: number,
  ): { status: number; body: unknown; coverage?: string } {
    const { pathname } = new URL(request.url);
    if (pathname === '/-/ready') return { status: 200, body: 'ok' };
    if (pathname === '/api/v1/pollux/status') return this.details;
    if (pathname === '/api/v1/pollux/coverage') {
      const serverGaps = this.gaps.flatMap(({ startMs, endMs }) => [startMs, endMs]);
      const subjects = this.otherGaps.length === 0 ? [] : [otherTarget(this.otherGaps)];
      return { status: 200, body: { config: 'x', now: nowMs, since: 0, serverGaps, subjects } };
    }
    this.asked.push(pathname);
    if (pathname === '/api/v1/labels')
      return { status: 200, body: { status: 'success', data: [this.value] } };
    if (this.state === 'overtaxed') {
      return { status: 503, body: { status: 'error', errorType: 'timeout', error: 'timed out' } };
    }
    const form = new URLSearchParams(String(request.body));
    const coverage = encodeHeader(
      {
        configIdentity: 'x',
        nowMs,
        sinceMs: 0,
        gaps: intervalSet([...this.gaps, ...this.freshGaps]),
        failures: [],
        url: null,
      },
      () => '/c',
    );
    const values: [number, string][] = [];
    const step = Number(form.get('step') ?? 1);
    for (let t = Number(form.get('start')); t <= Number(form.get('end')); t += step)
      values.push([t, this.value]);
    const result = [{ metric: { __name__: 'up' }, values }];
    return {
      status: 200,
      body: { status: 'success', data: { resultType: 'matrix', result } },
      coverage,
    };
  }
}

function otherTarget(gaps: IntervalSet): unknown {
  return {
    key: 'target/other/http://o',
    kind: 'target',
    interval: 1_000,
    labels: { job: 'other' },
    metricNames: [],
    gaps: gaps.flatMap(({ startMs, endMs }) => [startMs, endMs]),
    failures: [],
  };
}

class World {
  readonly clock = new VirtualClock(START_MS);
  readonly servers = { a: new FakeServer('1'), b: new FakeServer('2') };
  readonly gateway: Gateway;
  readonly router: Router;

  constructor() {
    const env: Env = { ...nodeEnv(), clock: this.clock };
    Object.assign(env, {
      net: {
        request: (request: HttpClientRequest) => this.#request(request),
        openPool: (options: HttpPoolOptions) =>
          new PoolOverRequests({ request: (request) => this.#request(request) }, options),
      },
    });
    const registry = new Registry();
    this.gateway = new Gateway({
      env,
      log: Log.silent(),
      registry,
      config: parseGatewayConfig(CONFIG, 'gateway.yml'),
    });
    this.router = new Router({ monotonic: () => this.clock.monotonic() });
    this.gateway.registerRoutes(this.router);
    this.gateway.start();
  }

  async get(target: string): Promise<Reply> {
    const request: HttpRequest = {
      method: 'GET',
      target,
      headers: {},
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => new Uint8Array(),
      stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
      signal: new AbortController().signal,
      principal: EVERYONE,
    };
    const pending = this.router.handler(request);
    const response = await Promise.race([pending, this.clock.advance(5_000).then(() => pending)]);
    const bytes =
      response.body instanceof Uint8Array
        ? new TextDecoder().decode(response.body)
        : String(response.body);
    return {
      status: response.status,
      json: JSON.parse(bytes),
      replica: response.headers?.['x-pollux-replica'],
    };
  }

  /** Range query over the last `seconds`, step 1 s. */
  range(seconds: number, query = 'up'): Promise<Reply> {
    const end = Math.floor(this.clock.now() / 1_000);
    const text = encodeURIComponent(query);
    return this.get(`/api/v1/query_range?query=${text}&start=${end - seconds}&end=${end}&step=1`);
  }

  async #request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const server = this.servers[new URL(request.url).hostname as 'a' | 'b'];
    if (server.state === 'refusing') throw new OperatingError('BASE.CONNECTION', 'refused');
    if (server.state === 'silent') {
      await new Promise((_, reject) => {
        request.signal?.addEventListener('abort', () =>
          reject(new OperatingError('BASE.CANCELED', 'canceled')),
        );
        this.clock.after(request.timeoutMs, () =>
          reject(new OperatingError('BASE.TIMEOUT', 'no answer')),
        );
      });
    }
    const { status, body, coverage } = server.answer(request, this.clock.now());
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return {
      status,
      headers: {
        'content-type': 'application/json',
        ...(coverage === undefined ? {} : { 'x-pollux-coverage': coverage }),
      },
      body: new TextEncoder().encode(text),
    };
  }
}

describe('the gateway over two servers', () => {
  const worlds: World[] = [];
  async function newWorld(): Promise<World> {
    const world = new World();
    worlds.push(world);
    await world.clock.advance(1_100);
    return world;
  }
  afterEach(async () => {
    for (const world of worlds.splice(0)) {
      const closed = world.gateway.close();
      await world.clock.advance(3_000);
      await closed;
    }
  });

  it('asks one replica only, always the same for one expression', async () => {
    const world = await newWorld();
    const first = await world.range(60);
    const second = await world.range(60);
    expect(first.status).toBe(200);
    expect(second.replica).toBe(first.replica);
    expect(first.json.warnings).toBeUndefined();
  });

  it('answers the steps that meet a gap from the other replica, without a hole', async () => {
    const world = await newWorld();
    const nowMs = world.clock.now();
    for (const server of Object.values(world.servers)) server.gaps = [];
    const chosen = (await world.range(60)).replica === 'a' ? world.servers.a : world.servers.b;
    chosen.gaps = intervalSet([{ startMs: nowMs - 30_000, endMs: nowMs - 25_000 }]);
    await world.clock.advance(1_100);
    const { json, replica } = await world.range(60);
    expect(replica).toMatch(/^[ab], [ab]$/);
    const values = json.data.result[0]?.values ?? [];
    expect(values).toHaveLength(61);
    const other = chosen.value === '1' ? '2' : '1';
    const fromOther = values.filter(([, value]) => value === other);
    // Steps whose ten seconds of lookback reach into the gap.
    const firstStep = fromOther[0]?.[0] ?? 0;
    expect(firstStep * 1_000).toBeGreaterThanOrEqual(nowMs - 31_000);
    expect(json.warnings).toBeUndefined();
  });

  it('plans again when the reply knows of a gap that the polled report did not have', async () => {
    const world = await newWorld();
    const chosen = (await world.range(20)).replica as 'a' | 'b';
    const nowMs = world.clock.now();
    world.servers[chosen].freshGaps = intervalSet([{ startMs: nowMs - 20_000, endMs: nowMs }]);
    const { replica, json } = await world.range(5);
    expect(replica).not.toBe(chosen);
    expect(json.warnings).toBeUndefined();
  });

  it('asks once for equal queries that are under way, and again for those that differ', async () => {
    const world = await newWorld();
    const asked = (): number => world.servers.a.asked.length + world.servers.b.asked.length;
    await Promise.all([world.range(20), world.range(20), world.range(20)]);
    expect(asked()).toBe(1);
    await Promise.all([world.range(20), world.range(30), world.range(20, 'down')]);
    expect(asked()).toBe(4);
  });

  it('knows no gap of one target by the gap of another', async () => {
    const world = await newWorld();
    const query = 'up{job="node"}';
    const chosen = (await world.range(20, query)).replica as 'a' | 'b';
    const gaps = intervalSet([{ startMs: world.clock.now() - 20_000, endMs: world.clock.now() }]);
    world.servers[chosen].otherGaps = gaps;
    await world.clock.advance(1_100);
    world.servers[chosen].freshGaps = gaps;
    expect((await world.range(5, query)).replica).not.toBe(chosen);
  });

  it('never cuts an expression that reads the end of the whole query', async () => {
    const world = await newWorld();
    const query = 'up - up @ end()';
    const nowMs = world.clock.now();
    const chosen = (await world.range(60, query)).replica as 'a' | 'b';
    world.servers[chosen].gaps = intervalSet([{ startMs: nowMs - 30_000, endMs: nowMs - 25_000 }]);
    await world.clock.advance(1_100);
    expect((await world.range(60, query)).replica).toBe(chosen === 'a' ? 'b' : 'a');
  });

  it.each(['1e15', '1e308', '-1e300'])(
    'answers a query at time %s though there are gaps',
    async (time) => {
      const world = await newWorld();
      for (const server of Object.values(world.servers))
        server.gaps = intervalSet([{ startMs: 0, endMs: Number.MAX_SAFE_INTEGER }]);
      await world.clock.advance(1_100);
      expect((await world.get(`/api/v1/query?query=up&time=${time}`)).status).toBe(200);
    },
  );

  it('keeps a member that answers but gives the console no details', async () => {
    const world = await newWorld();
    world.servers.a.details = { status: 200, body: 'no JSON' };
    world.servers.b.details = { status: 200, body: 'no JSON' };
    await world.clock.advance(5_000);
    expect((await world.range(5)).status).toBe(200);
  });

  it('warns of a time that nobody covers, and of nothing else', async () => {
    const world = await newWorld();
    const gap = { startMs: world.clock.now() - 30_000, endMs: world.clock.now() - 20_000 };
    world.servers.a.gaps = [gap];
    world.servers.b.gaps = [gap];
    await world.clock.advance(1_100);
    const { json } = await world.range(60);
    expect(json.warnings).toHaveLength(1);
    expect(json.warnings?.[0]).toContain(
      `no replica covers ${new Date(gap.startMs).toISOString()}`,
    );
  });

  it.each(['refusing', 'silent'] as const)(
    'never fails a query while one server is %s',
    async (state) => {
      const world = await newWorld();
      const chosen = (await world.range(20)).replica as 'a' | 'b';
      world.servers[chosen].state = state;
      const startMs = world.clock.now();
      const { status, replica } = await world.range(20);
      expect(status).toBe(200);
      expect(replica).not.toBe(chosen);
      expect((await world.get('/api/v1/labels')).status).toBe(200);
      expect(world.clock.now() - startMs).toBeLessThan(15_000);
    },
  );

  it('takes a query that ran out of its time for an answer, not for a dead member', async () => {
    const world = await newWorld();
    world.servers.a.state = 'overtaxed';
    world.servers.b.state = 'overtaxed';
    const { status, json } = await world.range(5);
    expect([status, json]).toMatchObject([503, { errorType: 'timeout', error: 'timed out' }]);
    expect([...world.servers.a.asked, ...world.servers.b.asked].length).toBe(1);
    world.servers.a.state = 'up';
    world.servers.b.state = 'up';
    expect((await world.range(5)).status).toBe(200);
  });

  it.each([
    ['a', 'refusing'],
    ['b', 'refusing'],
    ['a', 'silent'],
    ['b', 'silent'],
  ] as const)('asks the other one too when %s is really %s', async (dead, state) => {
    const world = await newWorld();
    for (const server of Object.values(world.servers)) server.state = 'silent';
    await world.clock.advance(1_100);
    for (const server of Object.values(world.servers)) server.state = 'up';
    world.servers[dead].state = state;
    const { status, replica } = await world.range(5);
    expect([status, replica]).toEqual([200, dead === 'a' ? 'b' : 'a']);
  });

  it('takes one answer that stays out for suspicion only: nothing in flight is cut, a second one is proof', async () => {
    const world = await newWorld();
    const chosen = (await world.range(20)).replica as 'a' | 'b';
    const isUp = async (): Promise<boolean> => {
      const { json } = await world.get('/api/v1/pollux/pair');
      const { groups } = json.data as unknown as {
        groups: { members: { name: string; isUp: boolean }[] }[];
      };
      return groups[0]?.members.find(({ name }) => name === chosen)?.isUp ?? false;
    };
    world.servers[chosen].state = 'silent';
    // A check begins at most a quarter of the interval later and waits for another quarter.
    await world.clock.advance(510);
    expect(await isUp()).toBe(true);
    expect((await world.range(20)).replica).not.toBe(chosen);
  });

  it('asks members that a busy moment made look down when there is nobody else', async () => {
    const world = await newWorld();
    for (const server of Object.values(world.servers)) server.state = 'silent';
    await world.clock.advance(1_100);
    for (const server of Object.values(world.servers)) server.state = 'up';
    // No check has run since: both still count as down.
    const { status } = await world.range(5);
    expect(status).toBe(200);
  });

  it('gives Prometheus’ envelope with every reason when all are down', async () => {
    const world = await newWorld();
    world.servers.a.state = 'refusing';
    world.servers.b.state = 'refusing';
    const { status, json } = await world.range(5);
    expect(status).toBe(503);
    expect(json).toMatchObject({ status: 'error', errorType: 'unavailable' });
    expect(json.error).toContain('a: refused');
  });
});
