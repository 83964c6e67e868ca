import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { OtlpDouble, type ReceivedSpan } from './otlp-double.ts';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const scratch = new Scratch();
const JSON_TYPE = { 'content-type': 'application/json' };
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

/** Those of tests that are not over. */
const scenes = new Set<Scene>();
let count = 0;
afterAll(async () => {
  await Promise.all([...scenes].map((scene) => scene.close()));
  scratch.remove();
});

/** An alertmanager, the webhook that it tells, and the collector that gets its traces: each test has its own, so that they wait at once. */
class Scene {
  readonly collector: OtlpDouble;
  /** What the webhook was told of traces, and when. */
  readonly hooked: { readonly traceparent: string; readonly atMs: number }[] = [];
  hookStatus = 200;
  hookPort = 0;
  readonly #hook: Server;
  #role: RunningRole | null = null;

  constructor(...options: ConstructorParameters<typeof OtlpDouble>) {
    this.collector = new OtlpDouble(...options);
    this.#hook = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        const { traceparent = '' } = request.headers;
        this.hooked.push({ traceparent: String(traceparent), atMs: performance.now() });
        response.writeHead(this.hookStatus).end();
      });
    });
    scenes.add(this);
  }

  async start(tracing: string): Promise<{ role: RunningRole; file: string }> {
    await new Promise<void>((resolve) => {
      this.#hook.listen(0, '127.0.0.1', resolve);
    });
    this.hookPort = (this.#hook.address() as AddressInfo).port;
    const name = `tracing-${++count}`;
    const file = scratch.file(`${name}.yml`, this.config(tracing));
    this.#role = await RunningRole.start([
      'alertmanager',
      `--config.file=${file}`,
      `--storage.path=${scratch.at(name)}`,
      '--web.listen-address=127.0.0.1:0',
      '--cluster.listen-address=',
    ]);
    return { role: this.#role, file };
  }

  async close(): Promise<void> {
    scenes.delete(this);
    await this.#role?.end();
    await this.collector.close();
    await new Promise((resolve) => this.#hook.close(resolve));
  }

  config(tracing: string): string {
    return `
${tracing}
route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:${this.hookPort}/geheim'}]}]
`;
  }

  told(atLeast: number): Promise<Scene['hooked']> {
    return eventually('a notification', 10_000, async () =>
      this.hooked.length >= atLeast ? this.hooked : null,
    );
  }

  spanNamed(name: string): Promise<ReceivedSpan> {
    return eventually(`the span ${name}`, 15_000, async () => {
      return this.collector.spans.find((span) => span.name === name) ?? null;
    });
  }

  parentOf({ parentId }: ReceivedSpan): string {
    return this.collector.spans.find(({ id }) => id === parentId)?.name ?? '';
  }
}

const fire = (running: RunningRole, name: string, headers = {}) =>
  running.post('/api/v2/alerts', JSON.stringify([{ labels: { alertname: name } }]), {
    ...JSON_TYPE,
    ...headers,
  });

describe.concurrent.each(['http', 'grpc'] as const)('traces of an alertmanager over %s', (type) => {
  it('tell of a request and of a flush, and pass on to the receiver and from the sender', async () => {
    const scene = new Scene();
    const port = await (type === 'http'
      ? scene.collector.startHttp()
      : scene.collector.startGrpc());
    const { role } = await scene.start(`tracing:
  client_type: ${type}
  endpoint: 127.0.0.1:${port}
  insecure: true
  sampling_fraction: 1
  compression: gzip
  headers: {x-tenant: {values: [blue]}}`);
    await eventually('tracing', 10_000, async () =>
      role.log.includes('tracing is on') ? 1 : null,
    );
    expect(role.log).not.toContain('no traces are sent');
    await fire(role, 'Traced', { traceparent: `00-${TRACE}-${PARENT}-01` });
    const [first] = await scene.told(1);
    await role.post('/api/v2/silences', '{}', JSON_TYPE);
    const flush = await scene.spanNamed('dispatch.AggregationGroup.flush');
    expect(flush).toMatchObject({
      parentId: '',
      service: 'alertmanager',
      attributes: {
        'alerting.aggregation_group.key': '{}:{alertname="Traced"}',
        'alerting.alerts.count': 1,
      },
    });
    const request = await scene.spanNamed('HTTP POST');
    expect(request).toMatchObject({
      kind: 3,
      traceId: flush.traceId,
      attributes: { 'server.port': scene.hookPort, 'http.response.status_code': 200 },
    });
    expect(first?.traceparent).toBe(`00-${flush.traceId}-${request.id}-01`);
    expect(scene.parentOf(request)).toBe('notify.Integration.Notify');
    const notify = await scene.spanNamed('notify.Integration.Notify');
    expect(notify.attributes['alerting.notify.integration.name']).toBe('webhook');
    expect(scene.parentOf(notify)).toBe('notify.RetryStage.Exec');
    const stages = scene.collector.spans.filter(({ traceId }) => traceId === flush.traceId);
    expect(stages.map(({ name }) => name).sort()).toEqual([
      'HTTP POST',
      'dispatch.AggregationGroup.flush',
      'inhibit.Inhibitor.Mutes',
      'notify.DedupStage.Exec',
      'notify.Integration.Notify',
      'notify.MuteStage.Exec',
      'notify.MuteStage.Exec',
      'notify.RetryStage.Exec',
      'notify.RoutingStage.Exec',
      'notify.SetNotifiesStage.Exec',
      'notify.TimeActiveStage.Exec',
      'notify.TimeMuteStage.Exec',
      'notify.WaitStage.Exec',
      'silence.Silencer.Mutes',
    ]);
    expect(scene.parentOf(await scene.spanNamed('silence.Silencer.Mutes'))).toBe(
      'notify.MuteStage.Exec',
    );
    const post = await scene.spanNamed('POST /api/v2/alerts');
    expect(post).toMatchObject({ traceId: TRACE, parentId: PARENT, kind: 2 });
    expect(scene.parentOf(await scene.spanNamed('api.postAlertsHandler'))).toBe(
      'POST /api/v2/alerts',
    );
    expect(await scene.spanNamed('provider.mem.Put')).toMatchObject({ traceId: TRACE, kind: 4 });
    const route = await scene.spanNamed('dispatch.Dispatcher.routeAlert');
    expect(route).toMatchObject({
      traceId: TRACE,
      attributes: { 'alerting.alert.name': 'Traced' },
    });
    expect(scene.parentOf(route)).toBe('provider.mem.Put');
    const group = await scene.spanNamed('dispatch.Dispatcher.groupAlert');
    expect(group.attributes['alerting.route.receiver.name']).toBe('hook');
    expect(scene.parentOf(group)).toBe(route.name);
    const insert = await scene.spanNamed('dispatch.AggregationGroup.insert');
    expect(insert.attributes).toMatchObject({
      'alerting.alert.fingerprint': route.attributes['alerting.alert.fingerprint'],
      'alerting.aggregation_group.key': '{}:{alertname="Traced"}',
    });
    expect(scene.parentOf(insert)).toBe(group.name);
    expect(await scene.spanNamed('api.postSilencesHandler')).toMatchObject({ status: 2 });
    expect(scene.collector.headers[0]).toMatchObject({
      'x-tenant': 'blue',
      path:
        type === 'http'
          ? 'POST /v1/traces'
          : '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    });
    expect(JSON.stringify(scene.collector.spans)).not.toContain('geheim');
    await scene.close();
  }, 40_000);
});

describe.concurrent.each(['http', 'grpc'] as const)('traces over %s with TLS', (type) => {
  const testdata = (name: string): string =>
    new URL(`../../packages/base/testdata/${name}`, import.meta.url).pathname;

  it.each([
    ['localhost', 'sent'],
    ['other.example', 'failed'],
  ])(
    'to a server that is to be %s are %s',
    async (name, result) => {
      const scene = new Scene({
        cert: readFileSync(testdata('localhost.crt'), 'utf8'),
        key: readFileSync(testdata('localhost.key'), 'utf8'),
      });
      const port = await (type === 'http'
        ? scene.collector.startHttp()
        : scene.collector.startGrpc());
      const { role } = await scene.start(`tracing:
  client_type: ${type}
  endpoint: 127.0.0.1:${port}
  sampling_fraction: 1
  timeout: 2s
  tls_config: {ca_file: '${testdata('localhost.crt')}', server_name: ${name}}`);
      await eventually('tracing', 10_000, async () =>
        role.log.includes('tracing is on') ? 1 : null,
      );
      await role.get('/api/v2/status');
      await eventually(`${result} spans`, 20_000, async () => {
        const count = await role.metric(`pollux_tracing_spans_total{result="${result}"}`);
        return (count ?? 0) > 0 ? true : null;
      });
      expect(scene.collector.spans.length > 0).toBe(result === 'sent');
      await scene.close();
    },
    40_000,
  );
});

describe('tracing', () => {
  it('begins and ends with a reload, and what waits is sent at the end', async () => {
    const scene = new Scene();
    const port = await scene.collector.startHttp();
    const { role, file } = await scene.start('');
    await fire(role, 'Before');
    const on = `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1}`;
    writeFileSync(file, scene.config(on));
    expect((await role.post('/-/reload', '')).status).toBe(200);
    await eventually('tracing', 10_000, async () =>
      role.log.includes('tracing is on') ? 1 : null,
    );
    await role.get('/api/v2/status');
    writeFileSync(file, scene.config(''));
    await role.post('/-/reload', '');
    await scene.spanNamed('api.getStatusHandler');
    const { length } = scene.collector.spans;
    await eventually('no tracing', 10_000, async () =>
      role.log.includes('tracing is off') ? 1 : null,
    );
    await role.get('/api/v2/status');
    writeFileSync(
      file,
      scene.config(
        on
          .replace('true', 'true, tls_config: {ca_file: none.pem}')
          .replace('insecure: true', 'insecure: false'),
      ),
    );
    expect((await role.post('/-/reload', '')).status).toBe(500);
    await role.end();
    expect(scene.collector.spans.slice(length).map(({ name }) => name)).not.toContain(
      'api.getStatusHandler',
    );
    expect(scene.collector.spans.map(({ name }) => name)).not.toContain('provider.mem.Put');
    await scene.close();
  }, 40_000);

  it('of a failed notification says so', async () => {
    const scene = new Scene();
    const port = await scene.collector.startHttp();
    scene.hookStatus = 400;
    const { role } = await scene.start(
      `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1}`,
    );
    await fire(role, 'Refused');
    await scene.told(1);
    expect(await scene.spanNamed('notify.Integration.Notify')).toMatchObject({
      status: 2,
      attributes: { 'alerting.notify.error.recoverable': false },
    });
    expect(await scene.spanNamed('dispatch.AggregationGroup.flush')).toMatchObject({ status: 2 });
    await scene.close();
  }, 40_000);

  it.each([
    ['hangs', 'dropped', 30],
    ['refuses', 'failed', 2],
  ] as const)(
    'to a collector that %s delays no notification, and spans are %s',
    async (mood, result, rounds) => {
      const scene = new Scene();
      scene.collector.mood = mood;
      const port = await scene.collector.startHttp();
      const { role } = await scene.start(
        `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1, timeout: 1m}`,
      );
      await eventually('tracing', 10_000, async () =>
        role.log.includes('tracing is on') ? 1 : null,
      );
      for (let i = 0; i < 3; i++) {
        const fromMs = performance.now();
        await fire(role, `Alert${i}`);
        await scene.told(i + 1);
        expect((scene.hooked[i]?.atMs ?? Number.NaN) - fromMs).toBeLessThan(2_500);
        // Of a collector that hangs, more spans than may wait.
        for (let j = 0; j < rounds / 3; j++) {
          await Promise.all(Array.from({ length: 50 }, () => role.get('/api/v2/status')));
        }
      }
      const count = (name: string) => role.metric(`pollux_tracing_spans_total{result="${name}"}`);
      await eventually(`${result} spans`, 15_000, async () =>
        ((await count(result)) ?? 0) > 0 ? true : null,
      );
      expect(await count('sent')).toBe(0);
      const { tookMs, status } = await role.end();
      expect(status).toBe(0);
      expect(tookMs).toBeLessThan(6_000);
      await scene.close();
    },
    60_000,
  );
});
