import {
  CanceledError,
  type Env,
  EVERYONE,
  ExchangeError,
  type HttpPoolRequest,
  type HttpPoolResponse,
  type HttpRequest,
  type HttpResponse,
  StopSource,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Registry } from '@pollux/telemetry';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseGatewayConfig } from '../config.ts';
import { gatewayMetrics } from '../metrics.ts';
import { Upstream } from '../upstream.ts';
import { BodyBudget } from './body-budget.ts';
import { Forwarder } from './forwarder.ts';
import { Peer } from './peer.ts';

/** A member that answers its name after `delayMs`, or breaks. */
class Member {
  readonly name: string;
  delayMs = 1;
  fault: 'refused' | 'cut' | 'body breaks' | null = null;
  readonly asked: HttpPoolRequest[] = [];
  stoppedCount = 0;

  constructor(name: string) {
    this.name = name;
  }

  exchange(clock: VirtualClock, request: HttpPoolRequest): Promise<HttpPoolResponse> {
    this.asked.push(request);
    return new Promise((resolve, reject) => {
      const { fault } = this;
      if (fault === 'refused' || fault === 'cut') {
        reject(new ExchangeError(this.name, { isSent: fault === 'cut', isTimeout: false }));
        return;
      }
      request.signal?.addEventListener('abort', () => {
        this.stoppedCount++;
        reject(new CanceledError('stopped'));
      });
      clock.after(request.headTimeoutMs, () =>
        reject(new ExchangeError(this.name, { isSent: true, isTimeout: true })),
      );
      const body = fault === null ? new TextEncoder().encode(this.name) : brokenBody();
      clock.after(this.delayMs, () => resolve({ status: 200, headers: {}, body }));
    });
  }
}

async function* brokenBody(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(4);
  throw new ExchangeError('a', { isSent: true, isTimeout: false });
}

let clock: VirtualClock;
let a: Member;
let b: Member;
const faults: string[] = [];
beforeEach(() => {
  clock = new VirtualClock(1_700_000_000_000);
  a = new Member('a');
  b = new Member('b');
  faults.length = 0;
});

function forwarder(settings = '', memberSettings = ''): Forwarder {
  const members = [a, b];
  const listed = members.map(
    ({ name }) => `{name: ${name}, url: 'http://${name}'${memberSettings}}`,
  );
  const text = `groups: [{name: g, kind: http, members: [${listed}]${settings}}]`;
  const group = parseGatewayConfig(text, 'gateway.yml').groups[0]!;
  const env: Env = { ...nodeEnv(), clock };
  Object.assign(env, {
    net: {
      openPool: ({ origin }: { origin: string }) => ({
        exchange: (request: HttpPoolRequest) =>
          members.find(({ name }) => origin === `http://${name}`)!.exchange(clock, request),
        close: async () => {},
      }),
    },
  });
  return new Forwarder({
    env,
    metrics: gatewayMetrics(new Registry()),
    group,
    peers: group.members.map((member) => {
      const peer = { weight: member.weight, maxFails: member.max_fails, failTimeoutMs: 10_000 };
      return new Peer(new Upstream(member.name, member.url, false), {
        ...peer,
        isBackup: false,
        isDown: false,
        maxConns: member.max_conns,
      });
    }),
    bodies: new BodyBudget(8),
    onFault: ({ text: what }) => faults.push(what),
  });
}

function request(method = 'GET', signal = new StopSource()): HttpRequest {
  return {
    method,
    target: '/',
    headers: { host: 'x', ...(method === 'GET' ? {} : { 'content-length': '1' }) },
    remote: { host: '::ffff:10.0.0.1', port: 1 },
    body: async () => new Uint8Array(1),
    stream: () => brokenBody(),
    signal,
    principal: EVERYONE,
  };
}

async function send(
  to: Forwarder,
  target = '/',
  method = 'GET',
  withinMs = 200_000,
): Promise<{ readonly status: number; readonly from: unknown; readonly response: HttpResponse }> {
  const pending = to.handle(request(method), target);
  const response = await Promise.race([pending, clock.advance(withinMs).then(() => pending)]);
  return { status: response.status, from: response.headers?.['x-pollux-member'], response };
}

describe('what may be sent twice', () => {
  it.each([
    ['GET', '/anything', true],
    ['HEAD', '/', true],
    ['POST', '/api/v1/query?x=1', true],
    ['POST', '/api/v1/query_range', true],
    ['POST', '/api/v1/read', true],
    ['POST', '/api/v1/series', true],
    ['POST', '/api/v1/write', false],
    ['POST', '/api/v2/silences', false],
    ['POST', '/api/v1/admin/tsdb/snapshot', false],
    ['POST', '/query', false],
    ['PUT', '/api/v1/query', false],
    ['DELETE', '/api/v2/silence/1', false],
  ])('%s %s: %s', async (method, target, isTwice) => {
    a.fault = 'cut';
    const { status } = await send(forwarder(), target, method);
    expect(status).toBe(isTwice ? 200 : 502);
    expect(b.asked.length).toBe(isTwice ? 1 : 0);
  });

  it('anything that could not be sent at all', async () => {
    a.fault = 'refused';
    expect(await send(forwarder(), '/api/v2/silences', 'POST')).toMatchObject({ from: 'b' });
  });
});

describe('time-outs', () => {
  it('end each try, and all tries together', async () => {
    a.delayMs = b.delayMs = 100_000;
    const slow = forwarder(', try_timeout: 4s, total_timeout: 6s');
    const startMs = clock.monotonic();
    const pending = slow.handle(request(), '/').then((response) => ({
      status: response.status,
      tookMs: clock.monotonic() - startMs,
    }));
    await clock.advance(20_000);
    expect(await pending).toEqual({ status: 504, tookMs: 6_000 });
    expect(faults[0]).toContain('upstream timed out (110: Connection timed out)');
  });
});

describe('a second request to another member', () => {
  const HEDGED = ', hedge: {min_delay: 20ms, max_share: 0.5}';

  async function warm(to: Forwarder): Promise<void> {
    for (let i = 0; i < 40; i++) await send(to, '/', 'GET', 10);
    a.asked.length = 0;
    b.asked.length = 0;
  }

  it('goes out when the first is slow; the faster answers and the other is stopped', async () => {
    const to = forwarder(HEDGED);
    await warm(to);
    a.delayMs = 5_000;
    const startMs = clock.monotonic();
    const pending = to.handle(request(), '/');
    await clock.advance(30);
    expect((await pending).headers?.['x-pollux-member']).toBe('b');
    expect(clock.monotonic() - startMs).toBe(30);
    expect(a.stoppedCount).toBe(1);
    expect(to.peers.map(({ connCount, failCount }) => connCount + failCount)).toEqual([0, 0]);
  });

  it('goes out for a bounded share of the requests', async () => {
    const to = forwarder(', hedge: {min_delay: 20ms, max_share: 0.1}', ', max_fails: 0');
    await warm(to);
    a.delayMs = b.delayMs = 500;
    for (let i = 0; i < 60; i++) await send(to, '/', 'GET', 1_100);
    // Ten are saved up, and one in ten is earned by each answer.
    expect(a.asked.length + b.asked.length - 60).toBeLessThanOrEqual(20);
    expect(a.asked.length + b.asked.length).toBeGreaterThan(60);
  });

  it('never for what must not be sent twice', async () => {
    const to = forwarder(HEDGED);
    await warm(to);
    a.delayMs = 5_000;
    await send(to, '/api/v2/silences', 'POST');
    expect(a.asked.length + b.asked.length).toBe(1);
  });
});

describe('bodies of requests', () => {
  it('are held up to a bound for all together, and given back with the answers', async () => {
    const to = forwarder();
    a.delayMs = b.delayMs = 1_000;
    const post = (size: number): Promise<HttpResponse> => {
      const headers = { host: 'x', 'content-length': String(size) };
      return to.handle(
        { ...request('POST'), headers, body: async () => new Uint8Array(size) },
        '/',
      );
    };
    const first = [post(5), post(3)];
    expect((await post(1)).status).toBe(503);
    await clock.advance(2_000);
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    const next = post(8);
    await clock.advance(2_000);
    expect((await next).status).toBe(200);
  });
});

describe('members', () => {
  it('are not asked beyond their limit of requests at once', async () => {
    const to = forwarder('', ', max_conns: 1');
    a.delayMs = b.delayMs = 1_000;
    const all = Promise.all([1, 2, 3].map(() => to.handle(request(), '/')));
    await clock.advance(2_000);
    expect((await all).map(({ status }) => status)).toEqual([200, 200, 502]);
    expect(faults).toEqual(['no live upstreams while connecting to upstream']);
  });

  it('count as busy until the client has the whole answer, also one that breaks off', async () => {
    const to = forwarder();
    a.fault = 'body breaks';
    const { response } = await send(to);
    const busy = (): number => to.peers[0]!.connCount;
    expect(busy()).toBe(1);
    const read = async (): Promise<void> => {
      for await (const _ of response.body as AsyncIterable<Uint8Array>);
    };
    await expect(read()).rejects.toThrow(ExchangeError);
    expect(busy()).toBe(0);
  });

  it('are let go when the client leaves', async () => {
    const to = forwarder();
    a.delayMs = 1_000;
    const signal = new StopSource();
    const pending = to.handle(request('GET', signal), '/');
    signal.abort(new Error('gone'));
    expect((await pending).status).toBe(499);
    expect(a.stoppedCount).toBe(1);
    expect(to.peers[0]).toMatchObject({ connCount: 0, failCount: 0 });
    expect(b.asked).toEqual([]);
  });
});
