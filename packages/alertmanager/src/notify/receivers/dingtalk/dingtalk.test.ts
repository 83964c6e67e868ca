import { SeededRandom, VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { sampleAlert, sampleNotification } from '../../../testing/sample-notification.ts';
import { START_MS, TestNode } from '../../../testing/world.ts';
import { Robots } from '../robots/robots.ts';
import { DINGTALK_PROTOCOL } from './protocol.ts';
import { dingtalkSignature, signedUrl } from './signature.ts';

const URL_TEXT = 'https://oapi.dingtalk.com/robot/send?access_token=geheim';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

function start(dingtalk = ''): TestNode {
  node = new TestNode({
    config: `
route: {receiver: ding, group_wait: 1s, group_by: [alertname], group_interval: 10m}
receivers: [{name: ding, dingtalk_configs: [{access_token: geheim, secret: SECabc${dingtalk}}]}]
`,
  });
  return node;
}

type Body = {
  readonly msgtype: string;
  readonly markdown: { readonly title: string; readonly text: string };
  readonly text: { readonly content: string };
  readonly actionCard: Record<string, string>;
  readonly at: Record<string, unknown>;
};

const body = (world: TestNode, index = 0): Body =>
  JSON.parse(world.net.deliveries[index]!.body) as Body;

describe('the signature of a robot', () => {
  it('is HMAC-SHA256 of timestamp, line end and secret, in base64, percent-encoded in the address', () => {
    // Made with: printf '1767607201000\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
    expect(dingtalkSignature('SECabc', 1_767_607_201_000)).toBe(SIGNATURE);
    const url = new URL(signedUrl(URL_TEXT, 'SECabc', 1_767_607_201_000));
    expect(url.searchParams.get('timestamp')).toBe('1767607201000');
    expect(url.searchParams.get('sign')).toBe(SIGNATURE);
    expect(url.search).not.toMatch(/sign=[^&]*[+/=]/);
    expect(signedUrl(URL_TEXT, '', 1)).toBe(URL_TEXT);
  });
});

const SIGNATURE = 'fMZMPwdMGTl1NcBD1PkuAFxQFGlA0E/eXYgduOA4SOA=';

describe('a DingTalk robot', () => {
  it('gets a signed markdown message', async () => {
    const world = start(", mention: {mobiles: ['138'], user_ids: [u1], all: true}");
    await world.fire({
      labels: { alertname: 'Down', instance: 'h1' },
      annotations: { summary: 'it is down' },
      endsIn: 600,
    });
    await world.advance(2);
    const [delivery] = world.net.deliveries;
    expect(delivery?.url).toBe(signedUrl(URL_TEXT, 'SECabc', START_MS + 1_000));
    const message = body(world);
    expect(message.msgtype).toBe('markdown');
    expect(message.markdown.title).toBe('[FIRING:1] Down (h1)');
    expect(message.markdown.text).toContain('**Down** instance=h1');
    expect(message.markdown.text).toContain('summary: it is down');
    expect(message.markdown.text).toMatch(/@138 @u1$/);
    expect(message.at).toEqual({ atMobiles: ['138'], atUserIds: ['u1'], isAtAll: true });
  });

  it('speaks Chinese by the zh templates', async () => {
    const world = start(
      `, title: '{{ template "dingtalk.zh.title" . }}', text: '{{ template "dingtalk.zh.text" . }}'`,
    );
    await world.fire({ labels: { alertname: 'Down', instance: 'h1' }, startsIn: 0, endsIn: 600 });
    await world.advance(2);
    expect(body(world).markdown.title).toBe('[告警 1 条] Down');
    expect(body(world).markdown.text).toContain('开始：2026-01-05 18:00:00');
  });

  it('gets text and cards on wish', async () => {
    const world = start(', message_type: actionCard, button_title: look');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 600 });
    await world.advance(2);
    expect(body(world).actionCard).toMatchObject({
      singleTitle: 'look',
      singleURL: 'http://am.example/#/alerts?receiver=ding',
    });
    await world.close();
    const other = start(", message_type: text, text: '{{ .Status }}'");
    await other.fire({ labels: { alertname: 'Down' }, endsIn: 600 });
    await other.advance(2);
    expect(body(other)).toMatchObject({ msgtype: 'text', text: { content: 'firing' } });
  });

  it.each([
    ['130101 (too fast)', '{"errcode":130101,"errmsg":"send too fast"}', true],
    ['-1 (busy)', '{"errcode":-1,"errmsg":"system busy"}', true],
    ['310000 (sign)', '{"errcode":310000,"errmsg":"sign not match"}', false],
    ['300001 (token)', '{"errcode":300001,"errmsg":"token is not exist"}', false],
    ['a proxy page', '<html>', true],
  ])('that answers %s is tried again or not', async (_name, answer, isTriedAgain) => {
    const world = start();
    let first = true;
    world.net.endpoint = () => {
      const text = first ? answer : '{"errcode":0}';
      first = false;
      return { status: 200, body: text };
    };
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(120);
    expect(world.net.deliveries).toHaveLength(isTriedAgain ? 2 : 1);
    const results = await world.results();
    expect(results).toMatchObject([{ result: isTriedAgain ? 'sent' : 'failed' }]);
  });

  it('rests a minute after it was too fast', async () => {
    const world = start();
    let first = true;
    world.net.endpoint = () => {
      const code = first ? 130101 : 0;
      first = false;
      return { status: 200, body: `{"errcode":${code}}` };
    };
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(120);
    const [one, two] = world.net.deliveries;
    expect(two!.timeMs - one!.timeMs).toBeGreaterThanOrEqual(60_000);
  });

  it('gets no more than 20 messages in any minute; the rest come later, none is lost', async () => {
    const world = start();
    for (let i = 0; i < 45; i++) {
      await world.fire({ labels: { alertname: `A${i}` }, endsIn: 3600 });
    }
    await world.advance(200);
    const times = world.net.deliveries.map(({ timeMs }) => timeMs);
    expect(times).toHaveLength(45);
    for (const [index, time] of times.entries()) {
      const later = times[index + 20];
      if (later !== undefined) expect(later - time).toBeGreaterThanOrEqual(60_000);
    }
  });

  it('gets at most 20,000 bytes: whole alerts, firing first, and how many more there are', async () => {
    const world = start();
    const alerts = Array.from({ length: 60 }, (_, i) => ({
      labels: { alertname: 'Down', n: String(i).padStart(2, '0') },
      annotations: { text: '字'.repeat(200) },
      endsIn: 3600,
    }));
    await world.fire(...alerts);
    await world.advance(2);
    const size = Buffer.byteLength(world.net.deliveries[0]!.body);
    expect(size).toBeLessThanOrEqual(20_000);
    expect(size).toBeGreaterThan(18_000);
    const { text, title } = body(world).markdown;
    const shown = text.match(/\*\*Down\*\*/g)?.length ?? 0;
    expect(text).toContain(`… ${60 - shown} more`);
    expect(title).toContain('FIRING:60');
  });

  it('gets one alert that is too large by itself cut, not refused', async () => {
    const world = start();
    await world.fire({
      labels: { alertname: 'Down' },
      annotations: { text: '"字"\n'.repeat(9_000) },
      endsIn: 3600,
    });
    await world.advance(2);
    expect(Buffer.byteLength(world.net.deliveries[0]!.body)).toBeLessThanOrEqual(20_000);
  });

  it('never shows its secret or token: not in logs, answers, metrics', async () => {
    const world = start();
    world.net.endpoint = () => ({ status: 403, body: 'no' });
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(30);
    const shown = [
      world.logged.join('\n'),
      (await world.request('GET', '/api/v2/status')).text,
      (await world.request('GET', '/api/v2/pollux/notifications')).text,
      (await world.request('GET', '/metrics')).text,
    ].join('\n');
    expect(shown).toContain('unexpected status code 403');
    expect(shown).not.toMatch(/geheim|SECabc/);
  });
});

describe('the limit of a robot', () => {
  it('is shared by all receivers with its address, and a caller that gives up does not hold the others', async () => {
    const clock = new VirtualClock(START_MS);
    const { limit } = DINGTALK_PROTOCOL;
    const robots = new Robots(clock, new SeededRandom(1));
    const signal = new AbortController().signal;
    for (let i = 0; i < 20; i++) await robots.of('u').acquire(limit, signal);
    const impatient = new AbortController();
    const refused = robots.of('u').acquire(limit, impatient.signal);
    const patient = robots.of('u').acquire(limit, signal);
    let isThrough = false;
    void patient.then(() => {
      isThrough = true;
    });
    await clock.advance(1_000);
    impatient.abort(new Error('gone'));
    await expect(refused).rejects.toMatchObject({ retry: true, reason: 'rateLimited' });
    expect(robots.waitingCount).toBe(1);
    await clock.advance(59_000);
    expect(isThrough).toBe(false);
    await clock.advance(2_000);
    expect(isThrough).toBe(true);
    await robots.of('another').acquire(limit, signal);
  });
});

describe('the sample', () => {
  it('quotes the receiver as a pattern', () => {
    expect(sampleNotification([sampleAlert({ a: 'b' })]).receiver).toBe('web\\.hook');
  });
});
