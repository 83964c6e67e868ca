import { DecodeError, SeededRandom, VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../../config/config.ts';
import { fileBeside } from '../../../config/receivers-beside.ts';
import { FakeCluster } from '../../../testing/fake-cluster.ts';
import { feishuDouble, wecomDouble } from '../../../testing/robot-doubles.ts';
import { START_MS, TestNode } from '../../../testing/world.ts';
import { DINGTALK_PROTOCOL } from '../dingtalk/protocol.ts';
import { feishuSignature } from '../feishu/signature.ts';
import { Robots } from './robots.ts';
import { decodeSends, encodeSend } from './sends-codec.ts';

const nodes: TestNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

function start(receiver: string, options: Partial<ConstructorParameters<typeof TestNode>[0]> = {}) {
  const node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 10m}
receivers: [{name: r, ${receiver}}]
`,
    ...options,
  });
  nodes.push(node);
  return node;
}

type Json = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
const body = (world: TestNode, index = 0): Json => JSON.parse(world.net.deliveries[index]!.body);

describe('a WeCom robot', () => {
  it('gets markdown with its mentions', async () => {
    const world = start(
      "wecom_configs: [{key: hidden-key, text: '{{ .Status }}', mention: {user_ids: [u1], all: true}}]",
    );
    world.net.endpoint = wecomDouble(world.clock, 'hidden-key');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(2);
    expect(world.net.deliveries[0]?.url).toBe(
      'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hidden-key',
    );
    expect(body(world)).toEqual({
      msgtype: 'markdown',
      markdown: { content: 'firing\n<@u1> <@all>' },
    });
    expect(await world.results()).toMatchObject([{ result: 'sent' }]);
  });

  it('gets text with mentions of numbers, and no more than the service takes', async () => {
    const world = start(
      "wecom_configs: [{key: k12345, message_type: text, text: '{{ range .Alerts }}{{ .Annotations.t }}{{ end }}', mention: {mobiles: ['138'], mobile_labels: [oncall]}}]",
    );
    world.net.endpoint = wecomDouble(world.clock, 'k12345');
    const alert = (n: number) => ({
      labels: { alertname: 'Down', n: String(n), oncall: '139, 137' },
      annotations: { t: '字'.repeat(300) },
      endsIn: 3600,
    });
    await world.fire(alert(1), alert(2), alert(3));
    await world.advance(2);
    const { text = {} } = body(world);
    expect(text.mentioned_mobile_list).toEqual(['138', '139', '137']);
    expect(text.content).toMatch(/… 1 more$/);
    expect(await world.results()).toMatchObject([{ result: 'sent' }]);
  });

  it('keeps to 20 messages a minute and is never refused for its rate', async () => {
    const world = start("wecom_configs: [{key: k12345, text: '{{ .Status }}'}]");
    world.net.endpoint = wecomDouble(world.clock, 'k12345');
    for (let i = 0; i < 30; i++) await world.fire({ labels: { alertname: `A${i}` }, endsIn: 3600 });
    await world.advance(130);
    expect((await world.results()).map(({ result }) => result)).toEqual(Array(30).fill('sent'));
    expect(world.net.deliveries).toHaveLength(30);
  });
});

describe('a Feishu robot', () => {
  it('gets a signed card', async () => {
    // Made with: printf '' | openssl dgst -sha256 -hmac "$(printf '1767607201\ngeheim')" -binary | base64
    expect(feishuSignature('geheim', 1_767_607_201)).toBe(
      'xWvt1Otf0GSF+p8qZeGL8uLlBRvPEHK813ppqlw0Kxo=',
    );
    const world = start(
      "feishu_configs: [{token: hook-id, secret: geheim, title: T, text: '{{ .Status }}', mention: {user_ids: [ou_1]}}]",
    );
    world.net.endpoint = feishuDouble(world.clock, 'geheim');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(2);
    expect(world.net.deliveries[0]?.url).toBe(
      'https://open.feishu.cn/open-apis/bot/v2/hook/hook-id',
    );
    expect(body(world)).toMatchObject({
      timestamp: '1767607201',
      msg_type: 'interactive',
      card: {
        header: { title: { content: 'T' }, template: 'red' },
        elements: [{ tag: 'markdown', content: 'firing\n<at id=ou_1></at>' }, { tag: 'action' }],
      },
    });
    expect(await world.results()).toMatchObject([{ result: 'sent' }]);
  });

  it.each([
    ['text', { text: 'a\nb\n<at user_id="all"></at>' }],
    [
      'post',
      {
        post: {
          zh_cn: {
            title: 'T',
            content: [
              [{ tag: 'text', text: 'a' }],
              [{ tag: 'text', text: 'b' }],
              [{ tag: 'at', user_id: 'all' }],
            ],
          },
        },
      },
    ],
  ])('gets a %s message', async (type, content) => {
    const world = start(
      `feishu_configs: [{token: hook-id, secret: geheim, message_type: ${type}, title: T, text: "a\\nb", mention: {all: true}}]`,
    );
    world.net.endpoint = feishuDouble(world.clock, 'geheim');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(2);
    expect(body(world)).toMatchObject({ msg_type: type, content });
    expect(await world.results()).toMatchObject([{ result: 'sent' }]);
  });

  it('keeps to 5 messages a second', async () => {
    const world = start('feishu_configs: [{token: hook-id, secret: geheim, title: T, text: t}]');
    world.net.endpoint = feishuDouble(world.clock, 'geheim');
    for (let i = 0; i < 23; i++) await world.fire({ labels: { alertname: `A${i}` }, endsIn: 3600 });
    await world.advance(20);
    expect(world.net.deliveries).toHaveLength(23);
    expect((await world.results()).map(({ result }) => result)).toEqual(Array(23).fill('sent'));
  });

  it('is not tried again with a wrong signature, and its error names the code', async () => {
    const world = start('feishu_configs: [{token: hook-id, secret: wrong1, title: T, text: t}]');
    world.net.endpoint = feishuDouble(world.clock, 'geheim');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(30);
    expect(await world.results()).toMatchObject([
      { result: 'failed', attempts: 1, error: expect.stringContaining('code 19021') },
    ]);
  });
});

describe('robots', () => {
  const DING = `title: T, text: '{{ .Status }}'`;

  it('of one receiver share the load, and one that is refused for its rate leaves it to the other', async () => {
    const world = start(
      `dingtalk_configs: [{access_token: robot-1, ${DING}, robots: [{access_token: robot-2, secret: SEC2222}]}]`,
    );
    world.net.endpoint = ({ url }) => ({
      status: 200,
      body: url.includes('robot-1') ? '{"errcode":130101,"errmsg":"too fast"}' : '{"errcode":0}',
    });
    for (let i = 0; i < 10; i++) await world.fire({ labels: { alertname: `A${i}` }, endsIn: 3600 });
    await world.advance(10);
    expect((await world.results()).map(({ result }) => result)).toEqual(Array(10).fill('sent'));
  });

  it('of two members of a cluster keep to one limit together', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 50 });
    const [a, b] = ['a', 'b'].map(
      (name) => new Robots(clock, new SeededRandom(name.charCodeAt(0))),
    ) as [Robots, Robots];
    for (const [name, robots] of [
      ['a', a],
      ['b', b],
    ] as const) {
      const channel = cluster.join(name).addState('pollux_robots', robots);
      robots.connect((data) => channel.broadcast(data));
    }
    const { limit } = DINGTALK_PROTOCOL;
    const signal = new AbortController().signal;
    const url = 'https://oapi.dingtalk.com/robot/send?access_token=geheim';
    for (let i = 0; i < 15; i++) await a.of(url).acquire(limit, signal);
    await clock.advance(100);
    for (let i = 0; i < 5; i++) await b.of(url).acquire(limit, signal);
    await clock.advance(100);
    expect(a.of(url).waitMs(limit)).toBeGreaterThan(60_000);
    expect(b.of(url).waitMs(limit)).toBeGreaterThan(60_000);
    // A full state that repeats what is known changes nothing.
    b.merge(a.marshal());
    expect(b.of(url).recent).toHaveLength(20);
    expect(Buffer.from(a.marshal()).toString('latin1')).not.toContain('geheim');
    await clock.advance(62_000);
    expect(b.of(url).waitMs(limit)).toBe(0);
  });

  it('take no damage from malformed messages of members', () => {
    const clock = new VirtualClock(START_MS);
    const robots = new Robots(clock, new SeededRandom(1));
    const id = '0123456789abcdef';
    const send = encodeSend({ robot: id, id, wallMs: START_MS });
    expect(decodeSends(send)).toEqual([{ robot: id, id, wallMs: START_MS }]);
    expect(() => robots.merge(send.slice(0, -1))).toThrow(DecodeError);
    expect(() => robots.merge(encodeSend({ robot: 'x', id, wallMs: 1 }))).toThrow(DecodeError);
    robots.merge(encodeSend({ robot: id, id, wallMs: START_MS + 60_000 }));
    robots.merge(encodeSend({ robot: id, id, wallMs: START_MS - 600_000 }));
    expect(robots.marshal()).toHaveLength(0);
  });

  it('of DingTalk mention who is on call by a label, and have buttons of their own', async () => {
    const world = start(
      `dingtalk_configs: [{access_token: robot-1, ${DING}, mention: {user_id_labels: [owner]}}, {access_token: robot-3, ${DING}, message_type: actionCard, buttons: [{title: 'silence', url: 'http://s/{{ .Status }}'}]}]`,
    );
    await world.fire({
      labels: { alertname: 'Down' },
      annotations: { owner: 'u7' },
      endsIn: 3600,
    });
    await world.advance(2);
    const messages = world.net.deliveries.map(({ body: text }) => JSON.parse(text));
    expect(messages).toContainEqual({
      msgtype: 'markdown',
      markdown: { title: 'T', text: 'firing\n\n@u7' },
      at: { atMobiles: [], atUserIds: ['u7'], isAtAll: false },
    });
    expect(messages).toContainEqual({
      msgtype: 'actionCard',
      actionCard: {
        title: 'T',
        text: 'firing',
        btns: [{ title: 'silence', actionURL: 'http://s/firing' }],
        btnOrientation: '0',
      },
    });
  });

  it('never show an address or a secret: not in logs, answers, metrics', async () => {
    const world = start(
      `dingtalk_configs: [{access_token: hidden-1, secret: hidden-2, ${DING}, robots: [{url: 'http://d/?access_token=hidden-3'}]}], wecom_configs: [{key: hidden-4, text: t}], feishu_configs: [{token: hidden-5, secret: hidden-6, title: T, text: t}]`,
    );
    world.net.endpoint = ({ url, body: text }) => ({ status: 400, body: `no ${url} ${text}` });
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(30);
    const shown = [
      world.logged.join('\n'),
      (await world.request('GET', '/api/v2/status')).text,
      (await world.request('GET', '/api/v2/pollux/notifications')).text,
      (await world.request('GET', '/metrics')).text,
    ].join('\n');
    expect(shown).toContain('unexpected status code 400');
    expect(shown).not.toMatch(/hidden-\d/);
  });
});

describe('the file beside alertmanager.yml', () => {
  const MAIN = 'route: {receiver: r}\nreceivers: [{name: r}, {name: other}]\n';
  const read = (text: string) =>
    readConfig(MAIN, { file: 'am.yml', beside: { text, file: 'am.pollux.yml' } });

  it('adds receivers that the main file need not know', () => {
    const config = read('receivers: [{name: r, dingtalk_configs: [{access_token: t}]}]');
    expect(config.receivers[0]?.integrations).toMatchObject([{ kind: 'dingtalk' }]);
    expect(config.receivers[1]?.integrations).toEqual([]);
    expect(config.text).toContain('access_token');
    expect(fileBeside('/etc/am/alertmanager.yml')).toBe('/etc/am/alertmanager.pollux.yml');
  });

  it.each([
    [
      'receivers: [{name: nobody}]',
      'am.pollux.yml:1:1: receivers: the main file has no receiver "nobody"',
    ],
    ['receivers: [{name: r}, {name: r}]', '"r" is not unique'],
    ['receivers: [{name: r, webhook_configs: []}]', 'unknown field "webhook_configs"'],
    ['receivers: [{name: r, dingtalk_configs: [{}]}]', 'exactly one of url, url_file'],
    ['{}', 'missing field "receivers"'],
  ])('%j is refused', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('is not shown by the status page, so that amtool reads what it is given', async () => {
    const world = start('labels: {}');
    world.alertmanager
      .prepare(
        readConfig(world.configText, {
          file: 'am.yml',
          beside: {
            text: 'receivers: [{name: r, wecom_configs: [{key: k12345, text: t}]}]',
            file: 'am.pollux.yml',
          },
        }),
      )
      .commit();
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(2);
    expect(world.net.deliveries).toHaveLength(1);
    expect((await world.request('GET', '/api/v2/status')).text).not.toContain('wecom');
  });
});
