import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OtlpDouble, type ReceivedSpan } from './otlp-double.ts';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const scratch = new Scratch();
const JSON_TYPE = { 'content-type': 'application/json' };
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

/** What the webhook was told of traces, and when. */
const hooked: { readonly traceparent: string; readonly atMs: number }[] = [];
let hook: Server;
let hookPort = 0;
let hookStatus = 200;
let collector: OtlpDouble;
let role: RunningRole | null = null;

beforeAll(async () => {
  hook = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const { traceparent = '' } = request.headers;
      hooked.push({ traceparent: String(traceparent), atMs: performance.now() });
      response.writeHead(hookStatus).end();
    });
  });
  await new Promise<void>((resolve) => {
    hook.listen(0, '127.0.0.1', resolve);
  });
  hookPort = (hook.address() as AddressInfo).port;
});

afterEach(async () => {
  await role?.end();
  await collector?.close();
  role = null;
  hooked.length = 0;
  hookStatus = 200;
});

afterAll(async () => {
  await new Promise((resolve) => hook.close(resolve));
  scratch.remove();
});

let count = 0;
async function start(tracing: string): Promise<{ role: RunningRole; file: string }> {
  const name = `tracing-${++count}`;
  const file = scratch.file(`${name}.yml`, config(tracing));
  role = await RunningRole.start([
    'alertmanager',
    `--config.file=${file}`,
    `--storage.path=${scratch.at(name)}`,
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
  ]);
  return { role, file };
}

const config = (tracing: string): string => `
${tracing}
route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:${hookPort}/geheim'}]}]
`;

const fire = (running: RunningRole, name: string, headers = {}) =>
  running.post('/api/v2/alerts', JSON.stringify([{ labels: { alertname: name } }]), {
    ...JSON_TYPE,
    ...headers,
  });

const told = (atLeast: number) =>
  eventually('a notification', 10_000, async () => (hooked.length >= atLeast ? hooked : null));

const spanNamed = (name: string): Promise<ReceivedSpan> =>
  eventually(`the span ${name}`, 15_000, async () => {
    return collector.spans.find((span) => span.name === name) ?? null;
  });

const parentOf = ({ parentId }: ReceivedSpan): string =>
  collector.spans.find(({ id }) => id === parentId)?.name ?? '';

describe.each(['http', 'grpc'] as const)('traces of an alertmanager over %s', (type) => {
  it('tell of a request and of a flush, and pass on to the receiver and from the sender', async () => {
    collector = new OtlpDouble();
    const port = await (type === 'http' ? collector.startHttp() : collector.startGrpc());
    const { role } = await start(`tracing:
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
    const [first] = await told(1);
    await role.post('/api/v2/silences', '{}', JSON_TYPE);
    const flush = await spanNamed('dispatch.AggregationGroup.flush');
    expect(flush).toMatchObject({
      parentId: '',
      service: 'alertmanager',
      attributes: {
        'alerting.aggregation_group.key': '{}:{alertname="Traced"}',
        'alerting.alerts.count': 1,
      },
    });
    const request = await spanNamed('HTTP POST');
    expect(request).toMatchObject({
      kind: 3,
      traceId: flush.traceId,
      attributes: { 'server.port': hookPort, 'http.response.status_code': 200 },
    });
    expect(first?.traceparent).toBe(`00-${flush.traceId}-${request.id}-01`);
    expect(parentOf(request)).toBe('notify.Integration.Notify');
    const notify = await spanNamed('notify.Integration.Notify');
    expect(notify.attributes['alerting.notify.integration.name']).toBe('webhook');
    expect(parentOf(notify)).toBe('notify.RetryStage.Exec');
    const stages = collector.spans.filter(({ traceId }) => traceId === flush.traceId);
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
    expect(parentOf(await spanNamed('silence.Silencer.Mutes'))).toBe('notify.MuteStage.Exec');
    const post = await spanNamed('POST /api/v2/alerts');
    expect(post).toMatchObject({ traceId: TRACE, parentId: PARENT, kind: 2 });
    expect(parentOf(await spanNamed('api.postAlertsHandler'))).toBe('POST /api/v2/alerts');
    expect(await spanNamed('provider.mem.Put')).toMatchObject({ traceId: TRACE, kind: 4 });
    const route = await spanNamed('dispatch.Dispatcher.routeAlert');
    expect(route).toMatchObject({
      traceId: TRACE,
      attributes: { 'alerting.alert.name': 'Traced' },
    });
    expect(parentOf(route)).toBe('provider.mem.Put');
    const group = await spanNamed('dispatch.Dispatcher.groupAlert');
    expect(group.attributes['alerting.route.receiver.name']).toBe('hook');
    expect(parentOf(group)).toBe(route.name);
    const insert = await spanNamed('dispatch.AggregationGroup.insert');
    expect(insert.attributes).toMatchObject({
      'alerting.alert.fingerprint': route.attributes['alerting.alert.fingerprint'],
      'alerting.aggregation_group.key': '{}:{alertname="Traced"}',
    });
    expect(parentOf(insert)).toBe(group.name);
    expect(await spanNamed('api.postSilencesHandler')).toMatchObject({ status: 2 });
    expect(collector.headers[0]).toMatchObject({
      'x-tenant': 'blue',
      path:
        type === 'http'
          ? 'POST /v1/traces'
          : '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    });
    expect(JSON.stringify(collector.spans)).not.toContain('geheim');
  }, 40_000);
});

describe.each(['http', 'grpc'] as const)('traces over %s with TLS', (type) => {
  const testdata = (name: string): string =>
    new URL(`../../packages/base/testdata/${name}`, import.meta.url).pathname;

  it.each([
    ['localhost', 'sent'],
    ['other.example', 'failed'],
  ])(
    'to a server that is to be %s are %s',
    async (name, result) => {
      collector = new OtlpDouble({
        cert: readFileSync(testdata('localhost.crt'), 'utf8'),
        key: readFileSync(testdata('localhost.key'), 'utf8'),
      });
      const port = await (type === 'http' ? collector.startHttp() : collector.startGrpc());
      const { role } = await start(`tracing:
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
      expect(collector.spans.length > 0).toBe(result === 'sent');
    },
    40_000,
  );
});

describe('tracing', () => {
  it('begins and ends with a reload, and what waits is sent at the end', async () => {
    collector = new OtlpDouble();
    const port = await collector.startHttp();
    const { role, file } = await start('');
    await fire(role, 'Before');
    const on = `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1}`;
    writeFileSync(file, config(on));
    expect((await role.post('/-/reload', '')).status).toBe(200);
    await eventually('tracing', 10_000, async () =>
      role.log.includes('tracing is on') ? 1 : null,
    );
    await role.get('/api/v2/status');
    writeFileSync(file, config(''));
    await role.post('/-/reload', '');
    await spanNamed('api.getStatusHandler');
    const { length } = collector.spans;
    await eventually('no tracing', 10_000, async () =>
      role.log.includes('tracing is off') ? 1 : null,
    );
    await role.get('/api/v2/status');
    writeFileSync(
      file,
      config(
        on
          .replace('true', 'true, tls_config: {ca_file: none.pem}')
          .replace('insecure: true', 'insecure: false'),
      ),
    );
    expect((await role.post('/-/reload', '')).status).toBe(500);
    await role.end();
    expect(collector.spans.slice(length).map(({ name }) => name)).not.toContain(
      'api.getStatusHandler',
    );
    expect(collector.spans.map(({ name }) => name)).not.toContain('provider.mem.Put');
  }, 40_000);

  it('of a failed notification says so', async () => {
    collector = new OtlpDouble();
    const port = await collector.startHttp();
    hookStatus = 400;
    const { role } = await start(
      `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1}`,
    );
    await fire(role, 'Refused');
    await told(1);
    expect(await spanNamed('notify.Integration.Notify')).toMatchObject({
      status: 2,
      attributes: { 'alerting.notify.error.recoverable': false },
    });
    expect(await spanNamed('dispatch.AggregationGroup.flush')).toMatchObject({ status: 2 });
  }, 40_000);

  it.each([
    ['hangs', 'dropped', 30],
    ['refuses', 'failed', 2],
  ] as const)(
    'to a collector that %s delays no notification, and spans are %s',
    async (mood, result, rounds) => {
      collector = new OtlpDouble();
      collector.mood = mood;
      const port = await collector.startHttp();
      const { role } = await start(
        `tracing: {client_type: http, endpoint: '127.0.0.1:${port}', insecure: true, sampling_fraction: 1, timeout: 1m}`,
      );
      await eventually('tracing', 10_000, async () =>
        role.log.includes('tracing is on') ? 1 : null,
      );
      for (let i = 0; i < 3; i++) {
        const fromMs = performance.now();
        await fire(role, `Alert${i}`);
        await told(i + 1);
        expect((hooked[i]?.atMs ?? Number.NaN) - fromMs).toBeLessThan(2_500);
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
    },
    60_000,
  );
});
