import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OtlpDouble } from './otlp-double.ts';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

const scratch = new Scratch();
const collector = new OtlpDouble();
/** What came by which path, with its `traceparent`. */
const heard = new Map<string, string>();
let other: Server;
let role: RunningRole;

/** Target, remote storage and alertmanager. */
beforeAll(async () => {
  other = createServer((request, response) => {
    heard.set(String(request.url), String(request.headers.traceparent ?? ''));
    request.resume();
    request.on('end', () => response.end('a_metric 1\n'));
  });
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as AddressInfo;
  const traces = await collector.startHttp();
  const rules = scratch.file(
    'rules.yml',
    'groups: [{name: g, interval: 200ms, rules: [{alert: Always, expr: vector(1)}]}]',
  );
  const config = scratch.file(
    'prometheus.yml',
    `
tracing:
  client_type: http
  endpoint: 127.0.0.1:${traces}
  insecure: true
  sampling_fraction: 1
  headers: {x-tenant: blue}
rule_files: ['${rules}']
scrape_configs: [{job_name: j, scrape_interval: 300ms, scrape_timeout: 300ms, static_configs: [{targets: ['127.0.0.1:${port}']}]}]
remote_write: [{url: 'http://127.0.0.1:${port}/geheim'}]
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:${port}']}]}]}
`,
  );
  role = await RunningRole.start([
    'server',
    `--config.file=${config}`,
    `--storage.tsdb.path=${scratch.at('data')}`,
    // What was sent before the library was loaded is sent again.
    '--rules.alert.resend-delay=1s',
    '--web.listen-address=127.0.0.1:0',
  ]);
}, 60_000);

afterAll(async () => {
  await role?.end();
  await collector.close();
  await new Promise((resolve) => other.close(resolve));
  scratch.remove();
});

it('a server traces requests, queries, scrapes, remote write and the sending of alerts', async () => {
  await eventually('tracing', 20_000, async () => (role.log.includes('tracing is on') ? 1 : null));
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
  const answer = await fetch(`${role.url}/api/v1/query?query=a_metric`, { headers });
  expect(answer.status).toBe(200);
  for (const path of ['/metrics', '/geheim', '/api/v2/alerts']) {
    await eventually(`a trace with ${path}`, 20_000, async () =>
      heard.get(path)?.startsWith('00-') ? true : null,
    );
  }
  const named = (name: string) =>
    eventually(`the span ${name}`, 20_000, async () => {
      return collector.spans.find((span) => span.name === name) ?? null;
    });
  const request = await named('GET /api/v1/query');
  expect(request).toMatchObject({ traceId: TRACE, parentId: PARENT, service: 'prometheus' });
  expect(await named('promqlExec')).toMatchObject({
    traceId: TRACE,
    parentId: request.id,
    attributes: { query: 'a_metric' },
  });
  expect(await named('HTTP GET')).toMatchObject({ parentId: '', kind: 3 });
  expect(await named('HTTP POST')).toMatchObject({ parentId: '', kind: 3 });
  expect(collector.headers[0]).toMatchObject({ 'x-tenant': 'blue' });
  expect(JSON.stringify(collector.spans)).not.toContain('geheim');
}, 60_000);
