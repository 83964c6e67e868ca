import { EVERYONE, type HttpHandler, VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { signedUrl } from '../notify/receivers/dingtalk/signature.ts';
import { createDingtalkSink, type DingtalkSinkOptions } from './dingtalk-sink.ts';

const SECRET = 'SECabc';
const MARKDOWN = { msgtype: 'markdown', markdown: { title: 't', text: '<b>Pollux</b> alert' } };

class Client {
  readonly clock = new VirtualClock(1_767_607_201_000);
  readonly #handler: HttpHandler;

  constructor(options: Partial<DingtalkSinkOptions> = {}) {
    this.#handler = createDingtalkSink({ clock: this.clock, secret: SECRET, ...options });
  }

  async call(
    method: string,
    target: string,
    body = '',
    type = 'application/json',
  ): Promise<string> {
    const bytes = new TextEncoder().encode(body);
    const response = await this.#handler({
      method,
      target,
      headers: { 'content-type': type },
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => bytes,
      stream: async function* () {
        yield bytes;
      },
      signal: new AbortController().signal,
      principal: EVERYONE,
    });
    return String(response.body);
  }

  async send(body: unknown = MARKDOWN, signedMsAgo = 0, secret = SECRET): Promise<number> {
    const url = new URL(
      signedUrl('http://x/robot/send?access_token=tok', secret, this.clock.now() - signedMsAgo),
    );
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await this.call('POST', url.pathname + url.search, text);
    return (JSON.parse(answer) as { errcode: number }).errcode;
  }
}

describe('the DingTalk sink', () => {
  it('takes what is signed right, keeps it with its time, and shows it', async () => {
    const client = new Client();
    expect(await client.send()).toBe(0);
    expect(JSON.parse(await client.call('GET', '/messages'))).toEqual([
      { receivedAt: client.clock.now(), accessToken: 'tok', body: MARKDOWN },
    ]);
    const page = await client.call('GET', '/');
    expect(page).toContain('&lt;b&gt;Pollux&lt;/b&gt; alert');
    expect(page).not.toContain('<b>Pollux');
  });

  it('refuses a wrong signature, an old one, a missing token, a wrong type and malformed bodies by code', async () => {
    const client = new Client();
    expect(await client.send(MARKDOWN, 0, 'SECother')).toBe(310000);
    expect(await client.send(MARKDOWN, 3_600_001)).toBe(310000);
    expect(await client.send(MARKDOWN, 3_600_000)).toBe(0);
    expect(await client.send('{')).toBe(40035);
    expect(await client.send({ msgtype: 'markdown', markdown: { title: 't' } })).toBe(40035);
    expect(await client.send({ msgtype: 'text', text: { content: 'x'.repeat(20_001) } })).toBe(
      460101,
    );
    expect(await client.call('POST', '/robot/send', '{}')).toContain('300001');
    expect(await client.call('POST', '/robot/send?access_token=t', '{}', 'text/plain')).toContain(
      '43004',
    );
    expect(JSON.parse(await client.call('GET', '/messages'))).toHaveLength(1);
  });

  it('fails the next ones on wish', async () => {
    const client = new Client();
    await client.call('POST', '/fail?n=2');
    expect([await client.send(), await client.send(), await client.send()]).toEqual([-1, -1, 0]);
    expect(await client.call('POST', '/fail?n=x')).toContain('whole number');
  });

  it('limits the rate and asks for the keyword only when told to', async () => {
    const client = new Client({ limitsRate: true, keyword: 'Pollux' });
    const codes: number[] = [];
    for (let i = 0; i < 21; i++) codes.push(await client.send());
    expect(codes.filter((code) => code === 0)).toHaveLength(20);
    expect(codes.at(-1)).toBe(130101);
    await client.clock.advance(60_000);
    expect(await client.send()).toBe(0);
    expect(await client.send({ msgtype: 'text', text: { content: 'other' } })).toBe(310000);
  });

  it('forgets the oldest beyond its capacity', async () => {
    const client = new Client({ capacity: 2 });
    for (const content of ['a', 'b', 'c'])
      await client.send({ msgtype: 'text', text: { content } });
    const kept = JSON.parse(await client.call('GET', '/messages')) as { body: { text: unknown } }[];
    expect(kept.map(({ body }) => body.text)).toEqual([{ content: 'b' }, { content: 'c' }]);
  });
});
