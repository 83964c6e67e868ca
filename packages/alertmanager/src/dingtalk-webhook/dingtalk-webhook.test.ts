import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVERYONE, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles, NodeWorkers } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { signedUrl } from '../notify/receivers/dingtalk/signature.ts';
import { Robots } from '../notify/receivers/robots/robots.ts';
import { webhookMessage } from '../notify/receivers/webhook/message.ts';
import { FakeNet } from '../testing/fake-net.ts';
import { sampleAlert, sampleNotification } from '../testing/sample-notification.ts';
import { START_MS } from '../testing/world.ts';
import { DingtalkWebhook } from './dingtalk-webhook.ts';

const URL_TEXT = 'https://oapi.dingtalk.com/robot/send?access_token=hidden-token';
const TARGETS = `
targets:
  team:
    url: ${URL_TEXT}
    secret: hidden-secret
    mention: {mobiles: ['138', '139']}
  plain: {url: '${URL_TEXT}', message: {title: T, text: '{{ .Alerts.Firing | len | printf "%d firing" | upper }}'}}
  legacy: {url: '${URL_TEXT}', mention: {all: true}, message: {title: '{{ template "legacy.title" . }}', text: '{{ template "legacy.content" . }}'}}
`;

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function start(config = TARGETS, file = 'config.yml') {
  const clock = new VirtualClock(START_MS);
  const net = new FakeNet(clock);
  const random = new SeededRandom(1);
  const logged: string[] = [];
  const registry = new Registry();
  const webhook = new DingtalkWebhook({
    env: { clock, random, net, files: new NodeFiles(), workers: new NodeWorkers() },
    log: new Log({
      level: 'info',
      format: 'logfmt',
      now: () => clock.now(),
      write: (line) => logged.push(line),
    }),
    registry,
    robots: new Robots(clock, random),
    userAgent: 'x',
    variables: {},
  });
  webhook.prepare(config, file).commit();
  const router = new Router({ monotonic: () => clock.monotonic() });
  webhook.registerRoutes(router);
  const post = async (target: string, body: string) => {
    const bytes = new TextEncoder().encode(body);
    const done = router.handler({
      method: 'POST',
      target: `/dingtalk/${target}/send`,
      headers: { 'content-type': 'application/json' },
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => bytes,
      stream: async function* () {
        yield bytes;
      },
      signal: new AbortController().signal,
      principal: EVERYONE,
    });
    await clock.advance(30_000);
    const { status, body: answer } = await done;
    return [status, answer];
  };
  return { post, net, clock, webhook, logged, registry };
}

const MESSAGE = webhookMessage(
  sampleNotification([
    sampleAlert(
      { alertname: 'Down', severity: 'critical', instance: 'h_1' },
      { summary: 'it is down', description: 'no <answer>' },
    ),
    sampleAlert({ alertname: 'Down', severity: 'critical', instance: 'h2' }, {}, START_MS + 1),
  ]),
  0,
);

describe('POST /dingtalk/{target}/send', () => {
  it('sends one signed markdown message as prometheus-webhook-dingtalk does', async () => {
    const { post, net } = start();
    expect(await post('team', MESSAGE)).toEqual([200, 'OK']);
    const [delivery] = net.deliveries;
    expect(delivery?.url).toBe(signedUrl(URL_TEXT, 'hidden-secret', START_MS));
    expect(JSON.parse(delivery!.body)).toEqual({
      msgtype: 'markdown',
      markdown: {
        title: '[FIRING:1] Down (critical)',
        text: `#### \\[FIRING:1\\] **[Down](http://am.example/#/alerts?receiver=web\\.hook)**
**Alerts Firing**

#### \\[CRITICAL\\] it is down

**Description:** no <answer>

**Graph:** [📈](http://prom/graph?g0.expr=up&g0.tab=1)

**Details:**
> - alertname: Down
> - instance: h\\_1


@138@139
**Alerts Resolved**

#### \\[CRITICAL\\] 

**Description:** 

**Graph:** [📈](http://prom/graph?g0.expr=up&g0.tab=1)

**Details:**
> - alertname: Down
> - instance: h2


@138@139`,
      },
      at: { atMobiles: ['138', '139'], isAtAll: false },
    });
  });

  it('takes messages and legacy templates of a target', async () => {
    const { post, net } = start();
    await post('plain', MESSAGE);
    await post('legacy', MESSAGE);
    const [plain, legacy] = net.deliveries.map(({ body }) => JSON.parse(body));
    expect(plain).toEqual({ msgtype: 'markdown', markdown: { title: 'T', text: '1 FIRING' } });
    expect(legacy.at).toEqual({ atMobiles: [], isAtAll: true });
    expect(legacy.markdown.text).toContain(
      '**Labels**\n> - alertname: Down\n> - instance: h\\_1\n',
    );
  });

  it('reads templates beside its file, which may replace the built-in ones', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pollux-dw-'));
    directories.push(directory);
    writeFileSync(
      join(directory, 'a.tmpl'),
      '{{ define "ding.link.content" }}{{ range .AtMobiles }}@{{ . }} {{ end }}{{ markdown "a_b" }}{{ end }}',
    );
    const { post, net } = start(`templates: ['*.tmpl']\n${TARGETS}`, join(directory, 'config.yml'));
    await post('team', MESSAGE);
    expect(JSON.parse(net.deliveries[0]!.body).markdown.text).toBe('@138 @139 a\\_b');
  });

  it.each([
    ['an unknown target', 'nobody', MESSAGE, null, 404, '404 page not found\n'],
    ['no JSON', 'team', '{', null, 400, 'Bad Request\n'],
    ['a list', 'team', '[]', null, 400, 'Bad Request\n'],
    ['an alert that is none', 'team', '{"alerts":[1]}', null, 400, 'Bad Request\n'],
    [
      'a refusal',
      'team',
      MESSAGE,
      '{"errcode":310000,"errmsg":"sign"}',
      400,
      'Unable to talk to DingTalk\n',
    ],
    ['the rate', 'team', MESSAGE, '{"errcode":130101}', 503, 'Unable to talk to DingTalk\n'],
    ['a proxy page', 'team', MESSAGE, '<html>', 503, 'Unable to talk to DingTalk\n'],
  ])('%s is answered so that Alertmanager tries again where it helps', async (...each) => {
    const [, target, body, reply, status, text] = each;
    const { post, net, logged } = start();
    if (reply !== null) net.endpoint = () => ({ status: 200, body: reply });
    expect(await post(target, body)).toEqual([status, text]);
    expect(logged.join()).not.toMatch(/hidden/);
  });

  it('ends when the service hangs', async () => {
    const { post, net } = start();
    net.endpoint = () => 'silent';
    expect(await post('team', MESSAGE)).toEqual([503, 'Unable to talk to DingTalk\n']);
  });

  it.each([
    ['targets: {1a: {url: "http://x"}}', 'invalid target name: "1a"'],
    ['targets: {a: {}}', 'url cannot be empty'],
    ['targets: {a: {url: "ftp://x"}}', 'unsupported scheme "ftp"'],
    ['other: 1', 'unknown field "other"'],
  ])('%j is refused, and the old file stays', async (text, message) => {
    const { webhook, post } = start();
    expect(() => webhook.prepare(text, 'c.yml')).toThrow(message);
    expect(await post('team', MESSAGE)).toEqual([200, 'OK']);
  });
});
