import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';
import type { HistoryRecord } from './record.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/secret-token'}]}]
`;

const nodes: TestNode[] = [];

function start(directory?: string): TestNode {
  const node = new TestNode({ config: CONFIG, ...(directory === undefined ? {} : { directory }) });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

type Page = { readonly records: readonly HistoryRecord[]; readonly cursor: string | null };

async function history(node: TestNode, query = ''): Promise<Page> {
  const answer = await node.request('GET', `/api/v3/history?${query}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.json as Page;
}

/** Oldest first, in one word each. */
async function story(node: TestNode, query = ''): Promise<string[]> {
  const { records } = await history(node, query);
  return records.map((record) => tell(record)).reverse();
}

function tell(record: HistoryRecord): string {
  const at = `${(Date.parse(record.time) - Date.parse('2026-01-05T10:00:00Z')) / 1000}s`;
  switch (record.kind) {
    case 'alert':
      return `${at} ${record.labels.alertname} ${record.change}`;
    case 'notification':
      return `${at} ${record.receiver} ${record.reason}: ${record.result}`;
    case 'silence':
      return `${at} silence ${record.change} ${record.matchers.join()} by ${record.createdBy}`;
    case 'acknowledgement':
      return `${at} acknowledgement ${record.change}`;
    case 'reload':
      return `${at} reload ${record.result}`;
  }
}

describe('history tells', () => {
  it('the life of an alert, its notifications, silences and reloads in their order', async () => {
    const node = start();
    await node.advance(1);
    await node.fire({ labels: { alertname: 'Down' }, endsIn: 36_000 });
    await node.fire({ labels: { alertname: 'Lost' }, endsIn: 30 });
    await node.advance(20);
    const id = await node.silence(['alertname=Down'], 3_600);
    await node.advance(40);
    await node.request('DELETE', `/api/v2/silence/${id}`);
    await node.fire({ labels: { alertname: 'Down' }, endsIn: 0 });
    node.configText = 'nonsense';
    await node.request('POST', '/-/reload');
    await node.advance(300);
    const lines = await story(node, 'limit=1000');
    expect(lines).toEqual([
      '0s reload succeeded',
      '1s Down fired',
      '1s Lost fired',
      '11s hook first notification: sent',
      '11s hook first notification: sent',
      '21s silence created alertname="Down" by tester',
      '31s Lost timed out',
      '61s silence expired alertname="Down" by tester',
      '61s Down resolved',
      '61s reload failed',
      '311s hook all alerts resolved: sent',
      '311s hook all alerts resolved: sent',
    ]);
  });

  it('the same after a restart, page by page, by filter and time', async () => {
    const node = start();
    for (let i = 0; i < 5; i++) await node.fire({ labels: { alertname: `A${i}` }, endsIn: 36_000 });
    await node.advance(15);
    await node.close();
    const next = start(node.directory);
    const first = await history(next, 'kind=alert&limit=3');
    expect(first.records.map(tell)).toEqual(['0s A4 fired', '0s A3 fired', '0s A2 fired']);
    const second = await history(next, `kind=alert&limit=3&cursor=${first.cursor}`);
    expect(second.records.map(tell)).toEqual(['0s A1 fired', '0s A0 fired']);
    expect(second.cursor).toBeNull();
    expect(await story(next, 'filter=alertname%3D"A2"')).toEqual([
      '0s A2 fired',
      '10s hook first notification: sent',
    ]);
    expect(await story(next, 'kind=notification&from=2026-01-05T10:00:11Z')).toEqual([]);
    expect(await next.results()).toHaveLength(5);
  });

  it('texts as they were, from memory and from disk', async () => {
    const node = start();
    const odd = 'a "quoted" \\ back\nslash, tab\t, ö, 漢, 😀, \u0001';
    await node.fire({
      labels: { alertname: odd, empty_is: 'gone' },
      annotations: { summary: odd, none: '' },
      endsIn: 36_000,
    });
    const [pending] = (await history(node, 'kind=alert')).records;
    expect(pending).toMatchObject({
      labels: { alertname: odd },
      annotations: { summary: odd, none: '' },
    });
    await node.close();
    const next = start(node.directory);
    expect((await history(next, 'kind=alert')).records).toEqual([pending]);
    expect(
      (await history(next, `kind=alert&text=${encodeURIComponent('漢, 😀')}`)).records,
    ).toHaveLength(1);
  });

  it('what many alerts of one request did, by everything that they can be found by, from memory and from disk', async () => {
    const node = start();
    const count = 150;
    const alerts = Array.from({ length: count }, (_, i) => ({
      labels: { alertname: `Many${i}`, instance: `host-${i}` },
      annotations: { summary: `Instance ${i} is <in> ${'TROUBLE '.repeat(30)}` },
      endsAt: '2026-01-05T20:00:00.000Z',
      generatorURL: `http://prometheus/graph?i=${i}`,
    }));
    const posted = await node.request('POST', '/api/v2/alerts', alerts);
    expect(posted.status).toBe(200);
    const last = (await history(node, 'kind=alert&limit=1')).records[0]!;
    expect(last).toMatchObject({ kind: 'alert', change: 'fired', ...alerts.at(-1) });
    const { fingerprint } = last as HistoryRecord & { kind: 'alert' };
    const checked = async (on: TestNode): Promise<void> => {
      const names: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await history(
          on,
          `kind=alert&limit=40${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        names.push(...page.records.map((record) => tell(record)));
        cursor = page.cursor;
      }
      expect(names).toEqual(alerts.map(({ labels }) => `0s ${labels.alertname} fired`).reverse());
      const found = async (query: string): Promise<number> =>
        (await history(on, `kind=alert&limit=1000&${query}`)).records.length;
      expect(await history(on, `fingerprint=${fingerprint}`)).toMatchObject({ records: [last] });
      expect(await found('filter=instance%3D"host-77"')).toBe(1);
      expect(await found('filter=instance%3D~"host-7."')).toBe(10);
      expect(await found('result=fired')).toBe(count);
      expect(await found('result=resolved')).toBe(0);
      expect(await found('receiver=hook')).toBe(0);
      expect(await found(`text=${encodeURIComponent('instance 77 IS <in> trouble')}`)).toBe(1);
    };
    await checked(node);
    await node.close();
    await checked(start(node.directory));
  });

  it('failures without the secrets of receivers', async () => {
    const node = start();
    node.net.endpoint = () => ({ status: 400, body: 'bad' });
    await node.fire({ labels: { alertname: 'Down' }, endsIn: 36_000 });
    await node.advance(15);
    const answer = await node.request('GET', '/api/v3/history?result=failed');
    expect((answer.json as Page).records).toHaveLength(1);
    expect(answer.text).toContain('400');
    expect(answer.text).not.toContain('secret-token');
  });

  it.each([
    ['kind=alerts', 'kind'],
    ['from=yesterday', 'from'],
    ['limit=1001', 'limit'],
    ['cursor=x', 'cursor'],
    ['filter=a%3D~%22(%22', 'filter'],
    [`text=${'x'.repeat(1_001)}`, 'text'],
  ])('which parameter it refuses: %s', async (query, field) => {
    const answer = await start().request('GET', `/api/v3/history?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ error: { field } });
  });
});

it.each([
  ['A&B', 'é <x> "q" & \\'],
  ['<a>', 'plain'],
])('finds what HTML and JSON would escape, by label and by text: %s', async (name, summary) => {
  const node = start();
  await node.fire({ labels: { alertname: name }, annotations: { summary }, endsIn: 36_000 });
  await node.advance(30);
  const label = encodeURIComponent(`alertname="${name}"`);
  const group = encodeURIComponent(`{}:{alertname="${name}"}`);
  expect(await story(node, `kind=alert&filter=${label}`)).toEqual([`0s ${name} fired`]);
  const fired = await story(node, `kind=alert&text=${encodeURIComponent(summary)}`);
  expect(fired).toEqual([`0s ${name} fired`]);
  expect(await story(node, `groupKey=${group}`)).toEqual(['10s hook first notification: sent']);
});
