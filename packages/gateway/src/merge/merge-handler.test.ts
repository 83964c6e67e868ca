import {
  type Env,
  EVERYONE,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpPoolOptions,
  type HttpRequest,
  OperatingError,
  PoolOverRequests,
  StopSource,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Matcher } from '@pollux/model';
import { encodeReadRequest, snappyEncode } from '@pollux/remote';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseGatewayConfig } from '../config.ts';
import { Gateway } from '../gateway.ts';

const START_MS = 1_700_000_000_000;

/** A server that has its own series besides one that all have, and may be broken or have a gap. */
class FakeServer {
  isPlain = false;
  isBroken = false;
  status = 200;
  gaps: number[] = [];
  asked: string[] = [];
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  answer(request: HttpClientRequest, nowMs: number): { status: number; body: unknown } {
    const { pathname, search } = new URL(request.url);
    if (this.isBroken) throw new OperatingError('BASE.CONNECTION', 'refused');
    if (pathname === '/-/ready') return { status: 200, body: 'ok' };
    if (['/api/v1/pollux/status', '/api/v1/status/config'].includes(pathname))
      return { status: 404, body: '' };
    if (pathname === '/api/v1/pollux/coverage') {
      const report = { config: 'x', now: nowMs, since: 0, serverGaps: this.gaps, subjects: [] };
      return this.isPlain ? { status: 404, body: '' } : { status: 200, body: report };
    }
    this.asked.push(`${request.method} ${pathname}${search}${request.body ?? ''}`);
    if (this.status !== 200) {
      const error = { status: 'error', errorType: 'bad_data', error: 'no' };
      return { status: this.status, body: error };
    }
    if (pathname === '/federate' || pathname === '/api/v1/read') {
      return { status: 200, body: this.name };
    }
    const data = pathname.endsWith('series')
      ? [{ __name__: 'up', prometheus_replica: this.name }]
      : ['shared', this.name];
    return { status: 200, body: { status: 'success', data, infos: [`info of ${this.name}`] } };
  }
}

let clock: VirtualClock;
let servers: Record<'a' | 'b', FakeServer>;
let gateway: Gateway;
let router: Router;

async function start(settings = ''): Promise<void> {
  const text = `
groups: [{name: s, kind: server, members: [{name: a, url: 'http://a'}, {name: b, url: 'http://b'}]}]
${settings}`;
  const env: Env = { ...nodeEnv(), clock };
  const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const server = servers[new URL(asked.url).hostname as 'a' | 'b'];
    const { status, body } = server.answer(asked, clock.now());
    const written = typeof body === 'string' ? body : JSON.stringify(body);
    return { status, headers: {}, body: new TextEncoder().encode(written) };
  };
  const openPool = (options: HttpPoolOptions) => new PoolOverRequests({ request }, options);
  Object.assign(env, { net: { request, openPool } });
  const config = parseGatewayConfig(text, 'gateway.yml');
  gateway = new Gateway({ env, log: Log.silent(), registry: new Registry(), config });
  router = new Router({ monotonic: () => clock.monotonic() });
  gateway.registerRoutes(router);
  gateway.start();
  await clock.advance(1_000);
}

beforeEach(() => {
  clock = new VirtualClock(START_MS);
  servers = { a: new FakeServer('a'), b: new FakeServer('b') };
});
afterEach(async () => {
  const closed = gateway.close();
  await clock.advance(2_000);
  await closed;
});

type Shown = { readonly status: number; readonly body: string; readonly replica: unknown };

async function ask(target: string, body?: Uint8Array | string): Promise<Shown> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const request: HttpRequest = {
    method: body === undefined ? 'GET' : 'POST',
    target,
    headers:
      typeof body === 'string' ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
    remote: { host: '127.0.0.1', port: 1 },
    body: async () => bytes ?? new Uint8Array(),
    stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
    signal: new StopSource(),
    principal: EVERYONE,
  };
  for (const server of Object.values(servers)) server.asked = [];
  const { status, headers, body: answered } = await router.handler(request);
  const text =
    answered instanceof Uint8Array ? new TextDecoder().decode(answered) : String(answered);
  return { status, body: text, replica: headers?.['x-pollux-replica'] };
}

const askedCount = (): number => servers.a.asked.length + servers.b.asked.length;
const SPAN = `start=${START_MS / 1_000 - 600}&end=${START_MS / 1_000}`;

describe('what is asked of all replicas', () => {
  it('goes to one that covers the span alone', async () => {
    await start();
    const { status, body } = await ask(`/api/v1/labels?${SPAN}`);
    expect([status, askedCount()]).toEqual([200, 1]);
    expect(JSON.parse(body).data).toHaveLength(2);
  });

  it('goes to the one without a gap, and to all when each has one', async () => {
    servers.a.gaps = [START_MS - 300_000, START_MS - 200_000];
    await start();
    for (const matcher of ['up', 'x', 'y', 'z']) {
      expect((await ask(`/api/v1/labels?${SPAN}&match[]=${matcher}`)).replica).toBe('b');
    }
    servers.b.gaps = [START_MS - 100_000, START_MS - 50_000];
    await clock.advance(1_000);
    const { body } = await ask(`/api/v1/labels?${SPAN}`);
    expect(JSON.parse(body)).toEqual({
      status: 'success',
      data: ['a', 'b', 'shared'],
      infos: ['info of a', 'info of b'],
    });
    servers.a.gaps = [START_MS - 120_000, START_MS - 40_000];
    await clock.advance(1_000);
    const { warnings } = JSON.parse((await ask(`/api/v1/labels?${SPAN}`)).body);
    expect(warnings).toEqual([
      `no replica covers ${new Date(START_MS - 100_000).toISOString()} to ${new Date(START_MS - 50_000).toISOString()}`,
    ]);
  });

  it('goes to all of plain Prometheus, whose coverage nobody knows; replica labels are taken out', async () => {
    servers.a.isPlain = true;
    servers.b.isPlain = true;
    await start('replica_labels: [prometheus_replica]');
    const { body } = await ask('/api/v1/series', `match[]=up&${SPAN}`);
    expect(JSON.parse(body).data).toEqual([{ __name__: 'up' }]);
    expect(servers.a.asked[0]).toMatch(/^POST \/api\/v1\/seriesmatch/);
    expect(JSON.parse((await ask('/api/v1/labels?limit=2')).body)).toMatchObject({
      data: ['a', 'b'],
      warnings: ['results truncated due to limit'],
    });
  });

  it('is answered by whoever is left, and says so', async () => {
    servers.a.isPlain = true;
    servers.b.isPlain = true;
    await start();
    servers.a.isBroken = true;
    const first = JSON.parse((await ask('/api/v1/labels')).body);
    expect(first).toMatchObject({ data: ['b', 'shared'] });
    expect(first.warnings?.[0]).toContain('a replica did not answer (a: refused)');
    servers.b.isBroken = true;
    expect((await ask('/api/v1/labels')).status).toBe(503);
  });

  it('is refused in a server’s own words when all refuse', async () => {
    await start();
    servers.a.status = servers.b.status = 400;
    const { status, body } = await ask('/api/v1/series?match[]=}');
    expect([status, JSON.parse(body).error]).toEqual([400, 'no']);
    servers.b.status = 200;
    expect((await ask('/api/v1/targets/metadata')).status).toBe(200);
  });
});

describe('formats that are not joined where members do not show their external labels', () => {
  it('federation goes to one that has no gap within the lookback', async () => {
    servers.b.gaps = [START_MS - 100_000, START_MS - 50_000];
    await start();
    for (const matcher of ['up', 'x', 'y', 'z']) {
      expect(await ask(`/federate?match[]=${matcher}`)).toMatchObject({ status: 200, body: 'a' });
    }
    servers.a.isBroken = true;
    expect(await ask('/federate?match[]=up')).toMatchObject({ status: 200, body: 'b' });
  });

  it('remote read goes to one that covers all that it asks for', async () => {
    servers.a.gaps = [START_MS - 100_000, START_MS - 50_000];
    await start();
    const matchers = [new Matcher('job', '=', 'x')];
    const queries = [60_000, 90_000].map((backMs) => ({
      startMs: START_MS - backMs,
      endMs: START_MS,
      matchers,
      hints: null,
    }));
    const body = await snappyEncode(encodeReadRequest({ queries, accepted: [] }));
    expect(await ask('/api/v1/read', body)).toMatchObject({ status: 200, body: 'b' });
    expect((await ask('/api/v1/read', new Uint8Array([0xff, 1, 2]))).status).toBe(400);
  });
});
