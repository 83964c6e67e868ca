import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { federate } from '@pollux/api';
import { nodeEnv } from '@pollux/base/node';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { Router } from '@pollux/http';
import { Matcher } from '@pollux/model';
import {
  ChunkedResponseReader,
  decodeReadResponse,
  encodeReadRequest,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';

type Kind = 'real' | 'ours';

async function startServer(kind: Kind, flags: readonly string[]): Promise<Omit<Server, 'stop'>> {
  if (kind === 'real') return startPrometheus(flags);
  const role = await RunningRole.start(['server', ...flags, '--web.listen-address=127.0.0.1:0']);
  return { url: role.url, kill: async () => void (await role.end('SIGKILL')) };
}

/** A server at an address that stays when it is killed and started again. */
class Restarted {
  readonly #kind: Kind;
  readonly #flags: readonly string[];
  readonly #door: http.Server;
  #server: Omit<Server, 'stop'> | null = null;

  constructor(kind: Kind, flags: readonly string[]) {
    this.#kind = kind;
    this.#flags = flags;
    this.#door = http.createServer((request, response) => {
      if (this.#server === null) {
        request.socket.destroy();
        return;
      }
      const { method, headers, url = '/' } = request;
      const passed = http.request(this.#server.url + url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => response.destroy());
      request.pipe(passed);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#door.address() as AddressInfo).port}`;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#door.listen(0, '127.0.0.1', resolve));
    await this.start();
  }

  async start(): Promise<void> {
    this.#server = await startServer(this.#kind, this.#flags);
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#door.closeAllConnections();
    await server?.kill();
  }

  async close(): Promise<void> {
    await this.kill();
    this.#door.close();
  }
}

type Found = {
  readonly value: number;
  readonly replicas: string;
  readonly warnings: readonly string[];
};

const PAIRS: readonly (readonly [string, readonly [Kind, Kind]])[] = [
  ['two real Prometheus', ['real', 'real']],
  ['a real Prometheus and one of ours', ['real', 'ours']],
  ['two servers of ours', ['ours', 'ours']],
];

/** Two servers behind a gateway, each of which was away for some seconds. */
class GappedPair {
  readonly #kinds: readonly Kind[];
  readonly #scratch = new Scratch();
  readonly members: Restarted[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  gateway = '';
  fromMs = 0;

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  async open(): Promise<void> {
    const beganMs = Date.now();
    // Grows by 100 a second, so that the samples of either are telling.
    const target = http.createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(`asked_total ${Math.floor((Date.now() - beganMs) / 10)}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    this.#closers.push(async () => void target.close());
    const { port } = target.address() as AddressInfo;
    for (const [index, name] of ['a', 'b'].entries()) {
      const config = this.#scratch.file(
        `${name}.yml`,
        `global: {scrape_interval: 500ms, external_labels: {prometheus_replica: ${name}, site: x}}
scrape_configs:
  - job_name: x
    static_configs: [{targets: ['127.0.0.1:${port}']}]
`,
      );
      const path = `--storage.tsdb.path=${this.#scratch.at(`data-${name}`)}`;
      const member = new Restarted(this.#kinds[index]!, [`--config.file=${config}`, path]);
      await member.open();
      this.members.push(member);
    }
    this.gateway = await this.#startGateway();
    await this.#scraped(5_000);
    this.fromMs = Date.now() - 3_000;
    for (const member of this.members) {
      await member.kill();
      await this.#scraped(4_000, this.members.indexOf(member));
      await member.start();
      await this.#scraped(4_000);
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await Promise.all(this.members.map((member) => member.close()));
    this.#scratch.remove();
  }

  /** Until each member, but the one that is down, has scraped twice a second for so long. */
  async #scraped(ms: number, down = -1): Promise<void> {
    const sinceMs = Date.now();
    await eventually('scrapes', 60_000, async () => {
      if (Date.now() - sinceMs < ms) return null;
      const there = this.members.filter((_, i) => i !== down);
      const counts = await Promise.all(
        there.map(({ url }) => ask(url, `count_over_time(asked_total[${Math.ceil(ms / 1_000)}s])`)),
      );
      return counts.every(({ value }) => value >= ms / 500 - 2) ? true : null;
    });
  }

  async #startGateway(): Promise<string> {
    const env = nodeEnv();
    const listed = this.members.map(({ url }, i) => `{name: m${i}, url: '${url}'}`).join(', ');
    const config = parseGatewayConfig(
      `{groups: [{name: s, kind: server, members: [${listed}]}], seam_guard: 1s}`,
      'gateway.yml',
    );
    const registry = new Registry();
    const made = new Gateway({ env, log: Log.silent(), registry, config, federate });
    const router = new Router({ monotonic: () => env.clock.monotonic() });
    made.registerRoutes(router);
    const at = { host: '127.0.0.1', port: 0 };
    const listener = await env.net.serveHttp(
      { at, maxConnections: 50, readTimeoutMs: 10_000 },
      made.handlerOver(router.handler),
    );
    made.start();
    this.#closers.push(async () => {
      await listener.close(0);
      await made.close();
    });
    await eventually('ready gateway', 10_000, async () => (made.isReady ? true : null));
    return `http://127.0.0.1:${listener.address.port}`;
  }
}

describe.skipIf(!hasPrometheus)(`behind the gateway${NO_PROMETHEUS}`, () => {
  const pairs = PAIRS.map(([title, kinds]) => [title, new GappedPair(kinds)] as const);
  // All at once: they wait for scrapes.
  beforeAll(() => Promise.all(pairs.map(([, pair]) => pair.open())));
  afterAll(() => Promise.all(pairs.map(([, pair]) => pair.close())));

  describe.each(pairs)('%s with gaps', (_, pair) => {
    it('are answered as one that had none, of which either was not there', async () => {
      const rangeS = Math.floor((Date.now() - pair.fromMs) / 1_000);
      const count = `count_over_time(asked_total[${rangeS}s])`;
      // Each knows of its own gap by its next reading of its own samples.
      const spliced = await eventually('splice', 30_000, async () => {
        const found = await ask(pair.gateway, count);
        return found.replicas.includes(', ') ? found : null;
      });
      const alone = await Promise.all(pair.members.map(({ url }) => ask(url, count)));
      for (const { value } of alone) expect(value).toBeLessThan((rangeS - 3) * 2);
      // At each of two seams a second and one interval may be without a sample; the newest scrape may be under way.
      expect(spliced.value).toBeGreaterThanOrEqual((rangeS - 4) * 2 - 2);
      expect(spliced.value).toBeLessThanOrEqual(rangeS * 2 + 1);
      expect(spliced.warnings).toEqual([]);
    });

    it.each([
      ['no reset of a counter', (range: string) => `resets(asked_total${range})`, 0, 0],
      ['its rate', (range: string) => `rate(asked_total${range})`, 100, 2],
      ['one series', (range: string) => `count(last_over_time(asked_total${range}))`, 1, 0],
      [
        'no external label',
        (range: string) => `count(last_over_time(asked_total{site=""}${range}))`,
        1,
        0,
      ],
    ])('show %s', async (_what, query, expected, tolerance) => {
      const rangeS = Math.floor((Date.now() - pair.fromMs) / 1_000);
      const { value, replicas, warnings } = await ask(pair.gateway, query(`[${rangeS}s]`));
      expect(replicas).toContain(', ');
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance);
      expect(warnings).toEqual([]);
    });

    it.each([
      ['in samples', [] as const],
      ['in chunks', ['streamed-xor-chunks', 'samples'] as const],
    ])('are read remotely as one, %s', async (_, accepted) => {
      const endMs = Math.floor(Date.now() / 1_000) * 1_000;
      const rangeS = Math.floor((endMs - pair.fromMs) / 1_000);
      const query = { startMs: endMs - rangeS * 1_000 + 1, endMs, hints: null };
      const matchers = [Matcher.metric('asked_total'), new Matcher('prometheus_replica', '=', 'b')];
      const request = encodeReadRequest({ queries: [{ ...query, matchers }], accepted });
      const response = await fetch(`${pair.gateway}/api/v1/read`, {
        method: 'POST',
        body: new Uint8Array(snappyEncode(request)),
      });
      const body = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200) throw new Error(new TextDecoder().decode(body));
      const series = accepted.length === 0 ? await samplesIn(body) : chunksIn(body);
      expect(series.map(({ names }) => names)).toEqual([['__name__', 'instance', 'job', 'site']]);
      expect(series[0]!.count).toBeGreaterThanOrEqual((rangeS - 4) * 2 - 2);
      expect(series[0]!.count).toBeLessThanOrEqual(rangeS * 2 + 1);
    });

    it('are federated as one', async () => {
      const answer = await fetch(`${pair.gateway}/federate?match[]=asked_total`);
      const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('asked_'));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain('site="x"');
      expect(lines[0]).not.toContain('prometheus_replica');
    });
  });
});

type ReadSeries = { readonly names: readonly string[]; readonly count: number };

async function samplesIn(body: Uint8Array): Promise<readonly ReadSeries[]> {
  const [series = []] = decodeReadResponse(await snappyDecode(body));
  return series.map(({ labels, count }) => ({ names: [...labels].map(([name]) => name), count }));
}

function chunksIn(body: Uint8Array): readonly ReadSeries[] {
  const reader = new ChunkedResponseReader();
  reader.push(body);
  reader.end();
  const range = { minMs: 0, maxMs: Number.MAX_SAFE_INTEGER };
  return reader.take().map((series) => ({
    names: [...series.labels].map(([name]) => name),
    count: series.columns(range).count,
  }));
}

/** The one value of an instant query; NaN for none. */
async function ask(url: string, query: string): Promise<Found> {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data, warnings = [] } = (await answer.json()) as {
    readonly data?: { readonly result: readonly { readonly value: [number, string] }[] };
    readonly warnings?: readonly string[];
  };
  return {
    value: Number(data?.result[0]?.value[1] ?? Number.NaN),
    replicas: answer.headers.get('x-pollux-replica') ?? '',
    warnings,
  };
}
