import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Alertmanager, NO_CLUSTER, readConfig } from '@pollux/alertmanager';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Debian's, or one that is named: `POLLUX_PEER_ALERTMANAGER=…` with `POLLUX_PEER_ALERTMANAGER_MINOR=34`. */
const BINARY = process.env.POLLUX_PEER_ALERTMANAGER ?? 'prometheus-alertmanager';
const MINOR = Number(process.env.POLLUX_PEER_ALERTMANAGER_MINOR ?? '25');
const isThere = spawnSync(BINARY, ['--version']).error === undefined;
const why = isThere ? '' : ` (skipped: ${BINARY} is not installed)`;
const env = nodeEnv();
const LIMITS = { maxConnections: 100, readTimeoutMs: 10_000 };
const AT = { host: '127.0.0.1', port: 0 };

/** One block for each receiver, by the first minor version of the original that takes it. */
const receivers = (
  url: string,
): readonly (readonly [kind: string, since: number, block: string])[] => [
  ['webhook', 0, `{url: '${url}/webhook'}`],
  [
    'slack',
    0,
    `{api_url: '${url}/slack', channel: '#c', send_resolved: true, fields: [{title: a, value: '{{ .Status }}'}], actions: [{type: button, text: go, url: 'http://x'}]}`,
  ],
  [
    'pagerduty',
    0,
    `{routing_key: k, url: '${url}/pagerduty', details: {firing: f, resolved: r, num_firing: x, num_resolved: z, s: '{{ .Status }}'}, links: [{href: 'http://l', text: l}], images: [{src: s, alt: a, href: h}]}`,
  ],
  [
    'opsgenie',
    0,
    `{api_key: key, api_url: '${url}/opsgenie', tags: 'a,b', responders: [{name: 'x,y', type: teams}], details: {d: '{{ .Status }}'}, update_alerts: true, note: n, priority: P1, entity: e}`,
  ],
  [
    'wechat',
    0,
    `{api_secret: s, api_url: '${url}/wechat/', corp_id: c, to_user: u, agent_id: '1', send_resolved: true}`,
  ],
  [
    'victorops',
    0,
    `{api_key: key, api_url: '${url}/victorops/', routing_key: rk, custom_fields: {a: '{{ .Status }}'}}`,
  ],
  ['telegram', 0, `{api_url: '${url}/telegram', bot_token: 'tok', chat_id: 42}`],
  ['discord', 0, `{webhook_url: '${url}/discord'}`],
  [
    'webex',
    0,
    `{api_url: '${url}/webex', room_id: r, http_config: {authorization: {credentials: tok}}}`,
  ],
  [
    'sns',
    0,
    `{api_url: '${url}/sns/', sigv4: {region: us-east-1, access_key: AK, secret_key: SK}, topic_arn: 'arn:aws:sns:us-east-1:1:t', attributes: {k: '{{ .Status }}'}}`,
  ],
  ['msteams', 26, `{webhook_url: '${url}/msteams'}`],
  ['msteamsv2', 28, `{webhook_url: '${url}/msteamsv2'}`],
  [
    'jira',
    28,
    `{api_url: '${url}/jira', project: P, issue_type: Bug, labels: [x], fields: {f: {value: '{{ .Status }}'}}}`,
  ],
  [
    'rocketchat',
    28,
    `{api_url: '${url}/rocketchat', token: t, token_id: i, channel: '#c', send_resolved: true}`,
  ],
  [
    'mattermost',
    30,
    `{webhook_url: '${url}/mattermost', channel: c, fields: [{title: a, value: b}]}`,
  ],
  ['incidentio', 29, `{url: '${url}/incidentio', alert_source_token: t}`],
];

const KINDS = receivers('')
  .filter(([, since]) => since <= MINOR)
  .map(([kind]) => kind);

const configFor = (url: string): string =>
  [
    'route: {receiver: r, group_wait: 1s, group_interval: 2s, repeat_interval: 1h, group_by: [alertname]}',
    'receivers:',
    '- name: r',
    ...receivers(url)
      .filter(([kind]) => KINDS.includes(kind))
      .map(([kind, , block]) => `  ${kind}_configs: [${block}]`),
    '',
  ].join('\n');

/** What a service got: all that must be the same. */
type Seen = { method: string; target: string; type: string; authorization: string; body: unknown };

const seen = new Map<string, Seen[]>();
const key = (who: string, kind: string): string => `${who}/${kind}`;

/** Doubles of all services on one port; `who` sends is the first part of the path. */
async function startDoubles() {
  return env.net.serveHttp({ at: AT, ...LIMITS }, async (request) => {
    const [, who = '', kind = ''] = request.target.split(/[/?]/);
    const type = request.headers['content-type'] ?? '';
    const authorization = request.headers.authorization ?? '';
    const text = new TextDecoder().decode(await request.body(1_000_000));
    const all = seen.get(key(who, kind)) ?? [];
    seen.set(key(who, kind), all);
    all.push({
      method: request.method,
      target: sorted(request.target.replace(`/${who}`, '')),
      // Earlier SDKs of AWS name the character set too.
      type: type.replace(/;.*/, ''),
      // The signature holds the second.
      authorization: authorization.startsWith('AWS4') ? 'AWS4' : authorization,
      body: bodyOf(text.replaceAll(`/${who}/`, '/'), type),
    });
    const headers = { 'content-type': kind === 'slack' ? 'text/plain' : 'application/json' };
    return { status: 200, headers, body: answerOf(kind, request.target) };
  });
}

function sorted(target: string): string {
  const [path = '', query = ''] = target.split('?');
  return `${path}?${query.split('&').sort().join('&')}`;
}

function bodyOf(text: string, type: string): unknown {
  if (type.includes('form')) return Object.fromEntries(new URLSearchParams(text));
  const body = text === '' ? null : (JSON.parse(text) as Record<string, unknown>);
  // Fields that 0.34 has and earlier ones lack.
  if (MINOR < 33 && body !== null && 'groupKey' in body) {
    delete body.notification_reason;
    delete body.routeLabels;
  }
  return body;
}

function answerOf(kind: string, target: string): string {
  if (target.includes('gettoken')) return '{"errcode":0,"access_token":"tok"}';
  if (kind === 'slack') return 'ok';
  if (target.includes('/search')) return '{"issues":[]}';
  if (kind === 'sns') {
    return '<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>';
  }
  return '{"ok":true,"success":true,"errcode":0,"result":{"message_id":1,"chat":{"id":1}}}';
}

const directory = mkdtempSync(join(tmpdir(), 'pollux-receivers-'));
const undo: (() => Promise<unknown>)[] = [async () => rmSync(directory, { recursive: true })];

async function startOurs(url: string): Promise<string> {
  const alertmanager = new Alertmanager({
    env,
    log: Log.silent(),
    registry: new Registry(),
    cluster: NO_CLUSTER,
    storageDirectory: join(directory, 'ours'),
    externalUrl: 'http://am.example',
    version: '0.1.0',
    reload: async () => {},
  });
  alertmanager.prepare(readConfig(configFor(url), { file: 'am.yml' })).commit();
  alertmanager.start();
  const router = new Router({ monotonic: () => env.clock.monotonic() });
  alertmanager.registerRoutes(router);
  const listener = await env.net.serveHttp({ at: AT, ...LIMITS }, router.handler);
  undo.push(
    () => alertmanager.close(),
    () => listener.close(100),
  );
  return `http://127.0.0.1:${listener.address.port}`;
}

async function startReal(url: string): Promise<string> {
  const file = join(directory, 'am.yml');
  writeFileSync(file, configFor(url));
  const port = await freePort();
  const flags = [
    `--config.file=${file}`,
    `--storage.path=${join(directory, 'real')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.external-url=http://am.example',
    '--web.route-prefix=/',
    '--cluster.listen-address=',
  ];
  const child = spawn(BINARY, flags, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  undo.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const address = `http://127.0.0.1:${port}`;
  await until(() =>
    fetch(`${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return address;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

async function until(isDone: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = Date.now() + 30_000;
  while (!(await isDone())) {
    if (Date.now() > endMs) throw new Error('it did not come in 30 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe.skipIf(!isThere)(`receivers beside those of the original${why}`, () => {
  beforeAll(async () => {
    const doubles = await startDoubles();
    undo.push(() => doubles.close(100));
    const base = `http://127.0.0.1:${doubles.address.port}`;
    const addresses = await Promise.all([startOurs(`${base}/ours`), startReal(`${base}/real`)]);
    // A fresh start, so that both wait for the whole group; whole seconds, as all of them print them.
    const startMs = Math.floor(Date.now() / 1000) * 1000;
    const post = async (endsAtMs: number): Promise<void> => {
      const alerts = ['h1', 'h2'].map((instance) => ({
        labels: { alertname: 'Down', job: 'node', instance, severity: 'critical' },
        annotations: { summary: `host <b>${instance}</b> & down "x"`, description: '中文 ünï' },
        startsAt: new Date(startMs).toISOString(),
        endsAt: new Date(endsAtMs).toISOString(),
        generatorURL: 'http://prom/graph?g0.expr=up&g0.tab=1',
      }));
      for (const address of addresses) {
        const answer = await fetch(`${address}/api/v2/alerts`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(alerts),
        });
        expect(answer.status).toBe(200);
      }
    };
    const hasAll = (count: number) => (): boolean =>
      ['ours', 'real'].every((who) =>
        KINDS.every((kind) => (seen.get(key(who, kind))?.length ?? 0) >= count),
      );
    await post(startMs + 3_600_000);
    await until(hasAll(1));
    await post(startMs + 1_000);
    await until(hasAll(2));
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });

  it.each(KINDS)('%s sends the same', (kind) => {
    const ours = seen.get(key('ours', kind));
    expect(ours?.length).toBeGreaterThanOrEqual(2);
    expect(ours).toEqual(seen.get(key('real', kind)));
  });
});
