import { afterEach, expect, it } from 'vitest';
import { TestNode } from '../../../testing/world.ts';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
});

it('WeChat keeps its token for two hours, and fetches another when the service says it is over', async () => {
  node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 1m}
receivers: [{name: r, wechat_configs: [{api_secret: s3cret, corp_id: c, api_url: 'http://wx/', message: m, to_user: u, to_party: '', to_tag: '', agent_id: '1', message_type: markdown}]}]
`,
  });
  const world = node;
  let tokens = 0;
  let isExpired = false;
  world.net.endpoint = ({ url }) => {
    if (url.includes('gettoken')) {
      return { status: 200, body: `{"errcode":0,"access_token":"token-${++tokens}"}` };
    }
    const wasExpired = isExpired;
    isExpired = false;
    return {
      status: 200,
      body: wasExpired ? '{"errcode":42001,"errmsg":"over"}' : '{"errcode":0}',
    };
  };
  const send = async (name: string): Promise<void> => {
    await world.fire({ labels: { alertname: name }, endsIn: 60 });
    await world.advance(30);
  };
  await send('A');
  await send('B');
  expect(tokens).toBe(1);
  isExpired = true;
  await send('C');
  expect(tokens).toBe(2);
  expect(world.net.deliveries.at(-1)?.url).toBe('http://wx/message/send?access_token=token-2');
  await world.advance(2 * 3600);
  await send('D');
  expect(tokens).toBe(3);
  expect((await world.results()).map(({ result }) => result)).toEqual(Array(4).fill('sent'));
  expect(JSON.parse(world.net.deliveries.at(-1)!.body)).toMatchObject({
    msgtype: 'markdown',
    markdown: { content: 'm' },
    text: { content: '' },
  });
});
