import { SeededRandom, VirtualClock } from '@pollux/base';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { NotifyEvents } from '../events/notify-events.ts';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { START_MS, TestNode, type TestNodeOptions } from '../testing/world.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { decodeAcknowledgements, encodeAcknowledgement } from './codec.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 10m}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
`;
const HOUR = 3_600;

const nodes: TestNode[] = [];

function start(options: Partial<TestNodeOptions> = {}): TestNode {
  const node = new TestNode({ config: CONFIG, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

async function acknowledge(node: TestNode, body: object): Promise<string> {
  const answer = await node.request('POST', '/api/v3/acknowledgements', { owner: 'eve', ...body });
  expect(answer.status, answer.text).toBe(200);
  return (answer.json as { id: string }).id;
}

async function fire(node: TestNode, name: string): Promise<void> {
  await node.fire({ labels: { alertname: 'Down', name }, endsIn: 100 * HOUR });
}

async function end(node: TestNode, name: string): Promise<void> {
  await node.fire({ labels: { alertname: 'Down', name }, endsIn: 0 });
}

async function live(node: TestNode): Promise<number> {
  const answer = await node.request('GET', '/api/v3/acknowledgements');
  return (answer.json as { acknowledgements: unknown[] }).acknowledgements.length;
}

describe('an acknowledgement', () => {
  it('keeps repetitions back for as long as the alert fires, however long, and not its end', async () => {
    const node = start();
    await fire(node, 'a');
    await node.advance(20);
    await acknowledge(node, { matchers: ['alertname="Down"'] });
    await node.advance(5 * HOUR);
    expect(node.sent).toEqual(['10s firing:a']);
    await end(node, 'a');
    await node.advance(120);
    expect(node.sent.slice(1)).toEqual([`${5 * HOUR + 70}s resolved:a`]);
    expect(await live(node)).toBe(0);
  });

  it('never keeps back a new alert of the group, after which the group is repeated again', async () => {
    const node = start();
    await fire(node, 'a');
    await node.advance(20);
    await acknowledge(node, { groupKey: '{}:{alertname="Down"}' });
    await node.advance(HOUR);
    await fire(node, 'b');
    await node.advance(1_400);
    expect(node.sent).toEqual([
      '10s firing:a',
      '3670s firing:a,b',
      '4330s firing:a,b',
      '4990s firing:a,b',
    ]);
  });

  it('of one alert does not cover others of its group', async () => {
    const node = start();
    await fire(node, 'a');
    await fire(node, 'b');
    await node.advance(20);
    const answer = await node.request('GET', '/api/v2/alerts?filter=name%3D"a"');
    const [{ fingerprint }] = answer.json as [{ fingerprint: string }];
    await acknowledge(node, { fingerprint });
    await node.advance(700);
    expect(node.sent).toEqual(['10s firing:a,b', '670s firing:a,b']);
  });

  it('ends at its time or when it is taken back, and the alert is repeated again', async () => {
    const node = start();
    await fire(node, 'a');
    await node.advance(20);
    await acknowledge(node, { matchers: ['name="a"'], until: node.isoIn(1_000) });
    await node.advance(1_500);
    // The repetition of 670 s was left out and counts as made; the next is due after it.
    expect(node.sent).toEqual(['10s firing:a', '1330s firing:a']);
    const id = await acknowledge(node, { matchers: ['name="a"'] });
    await node.advance(HOUR);
    expect(node.sent).toHaveLength(2);
    expect((await node.request('DELETE', `/api/v3/acknowledgements/${id}`)).status).toBe(200);
    await node.advance(700);
    expect(node.sent).toHaveLength(3);
  });

  it('is told of by templates that ask for it, and by no others', async () => {
    const node = start({
      config: `
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 10m}
receivers:
- name: hook
  webhook_configs:
  - url: 'http://hook/'
    send_resolved: true
    payload:
      each: '{{ range .Alerts }}{{ .Labels.name }}:{{ .Annotations.pollux_acknowledged_by }}/{{ .Annotations.pollux_acknowledged_note }}/{{ index .Annotations "pollux_acknowledged_until" }} {{ end }}'
      whole: '{{ with .CommonAnnotations.pollux_acknowledged_by }}acknowledged by {{ . }}{{ end }}'
      listed: '{{ range .Alerts }}{{ len .Annotations }}{{ .Annotations.SortedPairs }}{{ .Annotations.Names }}{{ .Annotations }}{{ range $k, $v := .Annotations }}{{ $k }}{{ end }}{{ toJson .Annotations }}{{ end }}{{ .CommonAnnotations }}'
`,
    });
    const told = () => JSON.parse(node.net.deliveries.at(-1)!.body) as Record<string, string>;
    await fire(node, 'a');
    await node.advance(20);
    const listed = told().listed;
    expect(told()).toMatchObject({ each: 'a:// ', whole: null });
    await acknowledge(node, { matchers: ['name="a"'], note: 'on it', until: node.isoIn(9_000) });
    await acknowledge(node, { matchers: ['name="a"'], owner: 'bob' });
    await fire(node, 'b');
    await node.advance(60);
    expect(told()).toEqual({
      each: 'a:eve, bob/on it/2026-01-05T12:30:20Z b:// ',
      whole: null,
      listed: `${listed}${listed}`,
    });
    await acknowledge(node, { matchers: ['name="b"'], owner: 'eve' });
    await end(node, 'a');
    await node.advance(60);
    expect(told()).toMatchObject({
      each: 'a:eve, bob/on it/2026-01-05T12:30:20Z b:eve// ',
      whole: 'acknowledged by eve',
    });
    await end(node, 'b');
    await node.advance(70);
    expect(told()).toMatchObject({ each: 'b:eve// ', whole: 'acknowledged by eve' });
  });

  it('does not cover the same alert when it comes back', async () => {
    const node = start();
    await fire(node, 'a');
    await fire(node, 'b');
    await node.advance(20);
    await acknowledge(node, { matchers: ['alertname="Down"'] });
    await end(node, 'a');
    await node.advance(600);
    expect(await live(node)).toBe(1);
    await fire(node, 'a');
    const answer = await node.request('GET', '/api/v3/alerts');
    const shown = answer.json as { labels: { name: string }; acknowledgedBy: object[] }[];
    const by = Object.fromEntries(shown.map((item) => [item.labels.name, item.acknowledgedBy]));
    expect(by).toMatchObject({ a: [], b: [{ owner: 'eve' }] });
  });

  it('outlives a restart, also a kill', async () => {
    const first = start();
    await fire(first, 'a');
    await first.advance(20);
    await acknowledge(first, { matchers: ['name="a"'], note: 'on it' });
    const second = start({ directory: first.directory, clock: first.clock });
    expect(await live(second)).toBe(1);
  });

  it('is in the history, in explanations and in the list of alerts', async () => {
    const node = start();
    await fire(node, 'a');
    await node.advance(20);
    const id = await acknowledge(node, { matchers: ['name="a"'], note: 'on it' });
    await node.advance(660);
    const explained = await node.request('GET', '/api/v3/explain?filter=name%3D"a"');
    expect(explained.json).toMatchObject({
      alerts: [{ acknowledgedBy: [{ id, owner: 'eve', note: 'on it', until: null }] }],
    });
    const alerts = await node.request('GET', '/api/v3/alerts');
    expect(alerts.json).toMatchObject([
      {
        status: { state: 'active' },
        acknowledgedBy: [{ id }],
        groups: [{ receiver: 'hook', key: '{}:{alertname="Down"}' }],
      },
    ]);
    await end(node, 'a');
    await node.advance(10);
    const past = await node.request('GET', '/api/v3/history?kind=acknowledgement');
    expect(past.json).toMatchObject({
      records: [
        { change: 'ended', acknowledgementId: id },
        { change: 'created', owner: 'eve', matchers: ['name="a"'], origin: 'here' },
      ],
    });
  });

  it.each([
    [{ matchers: ['name="nobody"'] }, 409, 'matchers'],
    [{}, 400, 'matchers'],
    [{ matchers: ['a=~"("'] }, 400, 'matchers[0]'],
    [{ matchers: ['name="a"'], until: '2020-01-01T00:00:00Z' }, 400, 'until'],
    [{ matchers: ['name="a"'], owner: '' }, 400, 'owner'],
    [{ matchers: ['name="a"'], note: 'x'.repeat(4_001) }, 400, 'note'],
    [{ matchers: ['name="a"'], untill: '' }, 400, 'untill'],
  ])('is refused: %j', async (body, status, field) => {
    const node = start();
    await fire(node, 'a');
    const given = { owner: 'eve', ...body };
    const answer = await node.request('POST', '/api/v3/acknowledgements', given);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error: { field } });
  });
});

describe('in a cluster an acknowledgement', () => {
  it('made on one member holds on both, and ended on the other ends on both', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 200 });
    const settings = { peerTimeoutMs: 15_000 };
    const [a, b] = ['A', 'B'].map((name, seed) =>
      start({ clock, cluster: cluster.join(name), settings, seed: seed + 1 }),
    ) as [TestNode, TestNode];
    await fire(a, 'a');
    await fire(b, 'a');
    await a.advance(30);
    const id = await acknowledge(b, { matchers: ['name="a"'] });
    await a.advance(4 * HOUR);
    expect([...a.sent, ...b.sent]).toEqual(['10s firing:a']);
    expect(await live(a)).toBe(1);
    await a.request('DELETE', `/api/v3/acknowledgements/${id}`);
    await a.advance(1);
    expect(await live(b)).toBe(0);
    await a.advance(1_000);
    expect([...a.sent, ...b.sent].length).toBeGreaterThan(1);
  });

  it('is agreed upon by members that hear versions in any order', () => {
    const clock = new VirtualClock(START_MS);
    const times = fc.integer({ min: 0, max: 3 });
    const version = fc.record({ updated: times, ended: times, note: fc.constantFrom('x', 'y') });
    fc.assert(
      fc.property(
        fc.array(version, { maxLength: 6 }),
        fc.infiniteStream(fc.nat()),
        (list, order) => {
          const parts = list.map(({ updated, ended, note }) =>
            encodeAcknowledgement({
              id: 'one',
              matchers: [{ name: 'a', operator: '=~', pattern: 'b|c' }],
              fingerprint: '',
              groupKey: '',
              owner: 'o',
              note,
              createdMs: START_MS,
              coversStartsUntilMs: START_MS,
              untilMs: 0,
              endedMs: ended === 0 ? 0 : START_MS + ended,
              updatedMs: START_MS + updated,
            }),
          );
          const shuffled = parts
            .map((part) => ({ part, rank: order.next().value as number }))
            .sort((x, y) => x.rank - y.rank)
            .map(({ part }) => part);
          const [left, right] = [parts, shuffled].map((each) => {
            const store = new Acknowledgements(
              { clock, random: new SeededRandom(1) },
              new NotifyEvents(),
            );
            for (const part of each) store.merge(part);
            return Buffer.from(store.marshal()).toString('hex');
          });
          expect(left).toBe(right);
        },
      ),
    );
  });

  it('reads no garbage and keeps fields that it does not know', () => {
    const store = new Acknowledgements(
      { clock: new VirtualClock(START_MS), random: new SeededRandom(1) },
      new NotifyEvents(),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        try {
          store.merge(data);
        } catch (error) {
          expect((error as Error).name).toBe('DecodeError');
        }
      }),
    );
    const made = store.create({
      matchers: [{ name: 'a', operator: '=', pattern: 'b' }],
      fingerprint: '',
      groupKey: '',
      owner: 'o',
      note: 'ö',
      untilMs: 0,
      latestStartMs: 0,
    });
    const bytes = Buffer.from(encodeAcknowledgement(made));
    // Field 15, a text of a later version.
    const wider = Buffer.concat([bytes.subarray(1), Buffer.from([0x7a, 1, 0x21])]);
    const [decoded] = decodeAcknowledgements(Buffer.concat([Buffer.from([wider.length]), wider]));
    expect(decoded!.acknowledgement).toEqual(made);
    expect(Buffer.from(decoded!.bytes).includes(Buffer.from([0x7a, 1, 0x21]))).toBe(true);
  });
});
