import {
  type Env,
  type HttpClientRequest,
  type HttpClientResponse,
  OperatingError,
  SeededRandom,
  sleep,
  VirtualClock,
} from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import { Labels } from '@pollux/model';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import type { OutgoingAlert } from '../outgoing-alert.ts';
import { memoryFiles } from '../testing/world.ts';
import { type AlertingConfig, alertingConfig } from './config.ts';
import { Notifier, type NotifierOptions } from './notifier.ts';

type Sent = { readonly url: string; readonly body: readonly { labels: Record<string, string> }[] };

class World {
  readonly clock = new VirtualClock();
  readonly registry = new Registry();
  readonly received: Sent[] = [];
  readonly requests: HttpClientRequest[] = [];
  readonly files: Record<string, string> = {};
  /** Status by host; 0 never answers, −1 refuses. */
  readonly statuses: Record<string, number> = {};
  readonly notifier: Notifier;

  constructor(options: Partial<NotifierOptions> = {}) {
    const net = { request: (request: HttpClientRequest) => this.#answer(request) };
    this.notifier = new Notifier({
      env: {
        clock: this.clock,
        random: new SeededRandom(1),
        files: { ...memoryFiles(this.files), watch: () => () => {} },
        net,
      } as unknown as Env,
      log: Log.silent(),
      registry: this.registry,
      resolvePath: (name) => name,
      variables: {},
      userAgent: 'Prometheus/test',
      ...options,
    });
  }

  async start(yaml: string, external: Record<string, string> = {}): Promise<void> {
    this.load(yaml, external);
    this.notifier.start();
    await this.clock.advance(100);
  }

  load(yaml: string, external: Record<string, string> = {}): void {
    this.notifier.prepare(decode(yaml), Labels.from(external)).commit();
  }

  /** `name` of each alert that a host accepted, in order. */
  namesAt(host: string): string[] {
    return this.received
      .filter(({ url }) => new URL(url).host === host)
      .flatMap(({ body }) => body.map(({ labels }) => labels.alertname ?? ''));
  }

  metric(line: string): string | undefined {
    return renderText(this.registry.gather())
      .split('\n')
      .find((candidate) => candidate.startsWith(line))
      ?.split(' ')
      .at(-1);
  }

  async #answer(request: HttpClientRequest): Promise<HttpClientResponse> {
    this.requests.push(request);
    const status = this.statuses[new URL(request.url).host] ?? 200;
    if (status === -1) throw new OperatingError('BASE.CONNECTION', 'connection refused');
    if (status === 0) {
      await sleep(this.clock, request.timeoutMs, request.signal);
      throw new OperatingError('BASE.TIMEOUT', 'no answer');
    }
    await sleep(this.clock, 1);
    if (status === 200) {
      this.received.push({ url: request.url, body: JSON.parse(String(request.body)) });
    }
    return { status, headers: {}, body: new Uint8Array() };
  }
}

function decode(yaml: string): AlertingConfig {
  return alertingConfig()(parseYaml(yaml, 'prometheus.yml'), 'alerting', strictContext());
}

function alert(name: string, labels: Record<string, string> = {}): OutgoingAlert {
  return {
    labels: Labels.from({ alertname: name, ...labels }),
    annotations: Labels.from({ summary: 's' }),
    startsAtMs: 1_700_000_000_123,
    endsAtMs: 1_700_000_240_000,
    generatorUrl: 'http://p/graph?g0.expr=up&g0.tab=1',
  };
}

const TWO = 'alertmanagers: [{static_configs: [{targets: ["a:9093", "b:9093"]}]}]';

describe('the notifier', () => {
  it('sends every alert to every alertmanager, in the form of its API', async () => {
    const world = new World();
    await world.start(TWO);
    world.notifier.send([alert('x')]);
    await world.clock.advance(10);
    expect(world.namesAt('a:9093')).toEqual(['x']);
    expect(world.namesAt('b:9093')).toEqual(['x']);
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'http://a:9093/api/v2/alerts' });
    expect(request!.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'Prometheus/test',
    });
    expect(request!.body).toBe(
      '[{"annotations":{"summary":"s"},"endsAt":"2023-11-14T22:17:20.000Z","startsAt":"2023-11-14T22:13:20.123Z","generatorURL":"http://p/graph?g0.expr=up&g0.tab=1","labels":{"alertname":"x"}}]',
    );
    expect(world.notifier.alertmanagers()).toEqual({
      active: ['http://a:9093/api/v2/alerts', 'http://b:9093/api/v2/alerts'],
      dropped: [],
    });
    expect(world.metric('prometheus_notifications_alertmanagers_discovered')).toBe('2');
  });

  for (const [what, status] of [
    ['refuses connections', -1],
    ['never answers', 0],
    ['answers 500', 500],
  ] as const) {
    it(`delivers to one while the other ${what}, and tells of the failures`, async () => {
      const world = new World();
      world.statuses['a:9093'] = status;
      await world.start(TWO);
      for (let i = 0; i < 20; i++) {
        world.notifier.send([alert(`x${i}`)]);
        await world.clock.advance(10);
      }
      expect(world.namesAt('b:9093')).toHaveLength(20);
      await world.clock.advance(30_000);
      const label = '{alertmanager="http://a:9093/api/v2/alerts"}';
      expect(world.metric(`prometheus_notifications_errors_total${label}`)).toBe('20');
      expect(world.namesAt('a:9093')).toEqual([]);
    });
  }

  it('goes through the proxy of an alertmanager', async () => {
    const world = new World({ variables: { HTTP_PROXY: 'http://proxy:3128' } });
    await world.start(
      'alertmanagers: [{static_configs: [{targets: ["a:9093"]}], proxy_from_environment: true}]',
    );
    world.notifier.send([alert('x')]);
    await world.clock.advance(10);
    expect(world.namesAt('a:9093')).toEqual(['x']);
    expect(world.requests[0]!.proxy?.url).toBe('http://proxy:3128');
  });

  it('keeps the newest alerts when a queue is full, and counts the dropped', async () => {
    const world = new World({ queueCapacity: 3, batchSize: 2 });
    world.statuses['a:9093'] = 0;
    await world.start('alertmanagers: [{timeout: 5s, static_configs: [{targets: ["a:9093"]}]}]');
    world.notifier.send([alert('first')]);
    await world.clock.advance(1);
    world.notifier.send([1, 2, 3, 4, 5].map((i) => alert(`x${i}`)));
    world.statuses['a:9093'] = 200;
    await world.clock.advance(10_000);
    expect(world.received.map(({ body }) => body.length)).toEqual([2, 1]);
    expect(world.namesAt('a:9093')).toEqual(['x3', 'x4', 'x5']);
    const label = '{alertmanager="http://a:9093/api/v2/alerts"}';
    // Two by the queue, one by the delivery that timed out.
    expect(world.metric(`prometheus_notifications_dropped_total${label}`)).toBe('3');
  });

  it('adds external labels, then relabels globally, then per alertmanager', async () => {
    const world = new World();
    await world.start(
      `
alert_relabel_configs:
  - {regex: replica, action: labeldrop}
  - {source_labels: [alertname], regex: silent, action: drop}
alertmanagers:
  - static_configs: [{targets: ["a:9093"]}]
  - static_configs: [{targets: ["b:9093"]}]
    alert_relabel_configs: [{source_labels: [cluster], target_label: where}]
`,
      { cluster: 'c1', replica: 'A' },
    );
    world.notifier.send([alert('x', { cluster: 'own' }), alert('y'), alert('silent')]);
    await world.clock.advance(10);
    const at = (host: string): unknown =>
      world.received
        .filter(({ url }) => url.includes(host))
        .flatMap(({ body }) => body.map(({ labels }) => labels));
    expect(at('a:9093')).toEqual([
      { alertname: 'x', cluster: 'own' },
      { alertname: 'y', cluster: 'c1' },
    ]);
    expect(at('b:9093')).toEqual([
      { alertname: 'x', cluster: 'own', where: 'own' },
      { alertname: 'y', cluster: 'c1', where: 'c1' },
    ]);
  });

  it('builds addresses from scheme, prefix and relabelling, and lists what was dropped', async () => {
    const world = new World();
    await world.start(`
alertmanagers:
  - scheme: https
    path_prefix: /am/
    static_configs: [{targets: ["a:1", "b:1", "http://bad:1"], labels: {zone: z}}]
    relabel_configs:
      - {source_labels: [__address__], regex: "b:.*", action: drop}
`);
    expect(world.notifier.alertmanagers()).toEqual({
      active: ['https://a:1/am/api/v2/alerts'],
      dropped: ['https://b:1/am/api/v2/alerts'],
    });
  });

  it('follows a reload: new ones are sent to, removed ones are not, kept ones lose nothing', async () => {
    const world = new World();
    world.statuses['a:9093'] = 0;
    await world.start(TWO);
    world.notifier.send([alert('stuck'), alert('stuck2')]);
    await world.clock.advance(1);
    world.notifier.send([alert('queued')]);
    world.load('alertmanagers: [{static_configs: [{targets: ["a:9093", "c:9093"]}]}]');
    await world.clock.advance(100);
    world.statuses['a:9093'] = 200;
    world.notifier.send([alert('later')]);
    await world.clock.advance(20_000);
    expect(world.namesAt('c:9093')).toEqual(['later']);
    expect(world.namesAt('b:9093')).not.toContain('later');
    expect(world.namesAt('a:9093')).toEqual(['queued', 'later']);
  });

  it('drains its queues when closed, but not for ever', async () => {
    const world = new World({ batchSize: 1, drainMs: 2_000 });
    await world.start(TWO);
    world.statuses['a:9093'] = 0;
    world.notifier.send([1, 2, 3].map((i) => alert(`x${i}`)));
    let isClosed = false;
    const closing = world.notifier.close().then(() => {
      isClosed = true;
    });
    await world.clock.advance(1_900);
    expect(world.namesAt('b:9093')).toEqual(['x1', 'x2', 'x3']);
    expect(isClosed).toBe(false);
    await world.clock.advance(200);
    expect(isClosed).toBe(true);
    await closing;
    world.notifier.send([alert('late')]);
    await world.clock.advance(100);
    expect(world.namesAt('b:9093')).not.toContain('late');
  });
});

describe('the alerting block', () => {
  const CASES: readonly (readonly [yaml: string, message: string])[] = [
    ['alertmanagers: [{api_version: v1}]', 'api version to be one of [v2] but got v1'],
    ['alertmanagers: [{scheme: ftp}]', '"ftp" is not allowed'],
    ['alertmanagers: [{nope: 1}]', 'unknown field "nope"'],
    ['alertmanagers: [{timeout: fast}]', 'not a valid duration string: "fast"'],
    ['alertmanagers: [{basic_auth: {}, authorization: {}}]', 'at most one of'],
    ['alert_relabel_configs: [{action: hashmod}]', 'non-zero modulus'],
    ['alertmanagers: [{sigv4: {region: x}}]', 'sigv4 is not supported yet'],
  ];
  for (const [yaml, message] of CASES) {
    it(`refuses ${yaml} with its place`, () => {
      expect(() => decode(yaml)).toThrow(message);
      expect(() => decode(yaml)).toThrow(/^prometheus\.yml:1:\d+: alerting/);
    });
  }
});
