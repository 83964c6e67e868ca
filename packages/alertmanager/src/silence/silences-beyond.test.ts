import { VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster, type FakeMember } from '../testing/fake-cluster.ts';
import { START_MS, TestNode, type TestNodeOptions } from '../testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], routes: [{matchers: [team="b"], receiver: other}]}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}, {name: other, webhook_configs: [{url: 'http://hook/b'}]}]
`;
const HOUR = 3_600;

const nodes: TestNode[] = [];

function start(options: Partial<TestNodeOptions> = {}): TestNode {
  const node = new TestNode({ config: CONFIG, ...options });
  nodes.push(node);
  return node;
}

function pair(): { nodes: [TestNode, TestNode]; members: [FakeMember, FakeMember] } {
  const clock = new VirtualClock(START_MS);
  const cluster = new FakeCluster(clock, { delayMs: 200 });
  const members = [cluster.join('A'), cluster.join('B')] as [FakeMember, FakeMember];
  const made = members.map((cluster, seed) => start({ clock, cluster, seed: seed + 1 }));
  return { nodes: made as [TestNode, TestNode], members };
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

type Silence = {
  readonly id: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly status: { readonly state: string };
};

async function silences(node: TestNode): Promise<Silence[]> {
  return (await node.request('GET', '/api/v2/silences')).json as Silence[];
}

const spans = (list: readonly Silence[]): string[] =>
  list.map(({ startsAt, endsAt }) => `${startsAt.slice(5, 16)} ${endsAt.slice(5, 16)}`).sort();

describe('a preview', () => {
  it('tells which alerts a silence would reach, now and in the past, and where they go', async () => {
    const node = start();
    for (const name of ['x', 'y']) {
      await node.fire({ labels: { alertname: 'Down', name, team: 'b' }, endsIn: 60 });
      await node.advance(70);
    }
    await node.fire({ labels: { alertname: 'Down', name: 'y', team: 'b' }, endsIn: 10 * HOUR });
    await node.fire({ labels: { alertname: 'Up', name: 'z' }, endsIn: 10 * HOUR });
    const answer = await node.request('POST', '/api/v3/silences/preview', {
      matchers: ['alertname="Down"'],
    });
    expect(answer.json).toMatchObject({
      active: { count: 1, receivers: ['other'], alerts: [{ labels: { name: 'y' } }] },
      past: {
        days: 7,
        count: 2,
        isComplete: true,
        alerts: [
          { labels: { name: 'y' }, fired: 2, receivers: ['other'] },
          { labels: { name: 'x' }, fired: 1 },
        ],
      },
    });
  });

  it.each([
    [{ matchers: [] }, 'matchers'],
    [{ matchers: ['a=~".*"'] }, 'matchers'],
    [{ matchers: [{ name: 'a', value: '(', isRegex: true }] }, 'matchers[0]'],
    [{ matchers: ['a="b"'], days: 1_000 }, 'days'],
  ])('refuses %j', async (body, field) => {
    const answer = await start().request('POST', '/api/v3/silences/preview', body);
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ error: { field } });
  });
});

describe('many silences at once', () => {
  it('are made, prolonged and ended, each with its own result', async () => {
    const node = start();
    const draft = (name: string): object => ({
      matchers: [{ name: 'n', value: name, isRegex: false }],
      startsAt: node.isoIn(0),
      endsAt: node.isoIn(HOUR),
      createdBy: 'me',
      comment: 'c',
    });
    const made = await node.request('POST', '/api/v3/silences/bulk', {
      create: [draft('a'), draft('b'), { ...draft('c'), endsAt: node.isoIn(-HOUR) }],
    });
    const { created } = made.json as { created: { id?: string; error?: object }[] };
    expect(created.map(({ error }) => error !== undefined)).toEqual([false, false, true]);
    const [a, b] = created;
    const changed = await node.request('POST', '/api/v3/silences/bulk', {
      expire: [a!.id, 'nobody'],
      extend: [{ id: b!.id, endsAt: node.isoIn(5 * HOUR) }, { id: b!.id }],
    });
    expect(changed.json).toMatchObject({
      expired: [{ id: a!.id }, { error: { code: 'ALERTMANAGER.SILENCE_NOT_FOUND' } }],
      extended: [{ id: b!.id }, { error: {} }],
    });
    const after = await silences(node);
    expect(after.find(({ id }) => id === b!.id)!.endsAt).toBe(node.isoIn(5 * HOUR));
    expect(after.find(({ id }) => id === a!.id)!.status.state).toBe('expired');
  });
});

describe('who has seen a silence', () => {
  it('is told by each member, of the version that the asked one holds', async () => {
    const { nodes: both, members } = pair();
    const [a, b] = both;
    await a.advance(1);
    const id = await a.silence(['x=y'], HOUR);
    const seen = async (): Promise<unknown> =>
      (await a.request('GET', `/api/v3/silences/${id}/seen`)).json;
    expect(await seen()).toMatchObject({
      seen: 1,
      of: 2,
      members: [{ state: 'seen' }, { name: 'B' }],
    });
    await a.advance(1);
    expect(await seen()).toMatchObject({ seen: 2, of: 2 });
    members[1].isCutOff = true;
    await a.request('DELETE', `/api/v2/silence/${id}`);
    await a.advance(10);
    expect(await seen()).toMatchObject({ seen: 1, of: 2, members: [{}, { state: 'not yet' }] });
    members[1].isCutOff = false;
    members[1].exchange(members[0]);
    await a.advance(1);
    expect(await seen()).toMatchObject({ seen: 2, of: 2 });
    const there = await b.request('GET', `/api/v3/silences/${id}/seen`);
    expect(there.json).toMatchObject({ seen: 2 });
  });

  it('is known of a member that does not speak of it once it has sent that version', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 200 });
    const a = cluster.join('A');
    const node = start({ clock, cluster: a });
    const go = cluster.join('GO');
    let held: Uint8Array = new Uint8Array(0);
    // All that the Go program knows of what ours share.
    go.parts.set('sil', {
      marshal: () => held,
      merge: (data) => {
        held = data;
      },
    });
    await node.advance(1);
    const id = await node.silence(['x=y'], HOUR);
    const seen = async (): Promise<unknown> =>
      (await node.request('GET', `/api/v3/silences/${id}/seen`)).json;
    await node.advance(1);
    expect(await seen()).toMatchObject({ seen: 1, members: [{}, { state: 'unknown' }] });
    a.exchange(go);
    expect(await seen()).toMatchObject({ seen: 2, members: [{}, { state: 'seen' }] });
    await node.request('DELETE', `/api/v2/silence/${id}`);
    await node.advance(1);
    expect(await seen()).toMatchObject({ seen: 1, members: [{}, { state: 'unknown' }] });
    a.exchange(go);
    expect(await seen()).toMatchObject({ seen: 2 });
  });

  it('is unknown of members that do not speak of it and have sent nothing, as those of the Go program', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 200 });
    const node = start({ clock, cluster: cluster.join('A') });
    cluster.join('GO');
    await node.advance(1);
    const id = await node.silence(['x=y'], HOUR);
    await node.advance(5);
    const answer = await node.request('GET', `/api/v3/silences/${id}/seen`);
    expect(answer.json).toMatchObject({
      seen: 1,
      of: 2,
      members: [{ state: 'seen' }, { name: 'GO', state: 'unknown' }],
    });
    expect((await node.request('GET', '/api/v3/silences/x/seen')).status).toBe(404);
  });
});

describe('a recurring silence', () => {
  // 5 January 2026, a Monday, 10:00 UTC is the beginning of the world.
  const nightly = {
    matchers: ['job="backup"'],
    schedule: [{ times: [{ start_time: '22:00', end_time: '23:10' }], location: 'Asia/Shanghai' }],
    createdBy: 'me',
    comment: 'nightly backup',
  };

  async function create(node: TestNode, body: object = nightly): Promise<string> {
    const answer = await node.request('POST', '/api/v3/silences/recurring', body);
    expect(answer.status, answer.text).toBe(200);
    return (answer.json as { id: string }).id;
  }

  it('becomes ordinary silences a day ahead, day after day', async () => {
    const node = start();
    const id = await create(node);
    expect(spans(await silences(node))).toEqual(['01-05T14:00 01-05T15:10']);
    // At three in the afternoon the next day's has its day ahead.
    await node.advance(5 * HOUR + 300);
    expect(spans(await silences(node))).toEqual([
      '01-05T14:00 01-05T15:10',
      '01-06T14:00 01-06T15:10',
    ]);
    const listed = await node.request('GET', '/api/v3/silences/recurring');
    expect(listed.json).toMatchObject({ recurring: [{ id, schedule: nightly.schedule }] });
    await node.request('DELETE', `/api/v3/silences/recurring/${id}`);
    await node.advance(2 * HOUR);
    const left = await silences(node);
    expect(left.filter(({ status }) => status.state !== 'expired')).toEqual([]);
    expect(left).toHaveLength(2);
  });

  it('holds at once when its time has begun, and stays ended when somebody ends one', async () => {
    const node = start();
    await create(node, { ...nightly, schedule: [{ weekdays: ['monday:tuesday'] }] });
    const [first] = await silences(node);
    expect(first).toMatchObject({
      status: { state: 'active' },
      endsAt: '2026-01-07T00:00:00.000Z',
    });
    await node.request('DELETE', `/api/v2/silence/${first!.id}`);
    await node.advance(2 * HOUR);
    const after = await silences(node);
    expect(after.map(({ status }) => status.state)).toEqual(['expired']);
  });

  it('is followed by the cluster: made once, by whichever member is first, and after a restart', async () => {
    const { nodes: both, members } = pair();
    const [a, b] = both;
    await create(b);
    await a.advance(HOUR);
    const expected = ['01-05T14:00 01-05T15:10'];
    expect(spans(await silences(a))).toEqual(expected);
    expect((await silences(a)).map(({ id }) => id).sort()).toEqual(
      (await silences(b)).map(({ id }) => id).sort(),
    );
    members[0].kill();
    await a.advance(5 * HOUR);
    expect(spans(await silences(b))).toHaveLength(2);
  });

  it('is made once also by two members that cannot talk', async () => {
    const { nodes: both, members } = pair();
    const [a, b] = both;
    await create(a);
    await a.advance(1);
    members[1].isCutOff = true;
    members[0].kill();
    const lone = start({ clock: a.clock, directory: a.directory, seed: 9 });
    await a.advance(6 * HOUR);
    const ids = async (node: TestNode): Promise<string[]> =>
      (await silences(node)).map(({ id }) => id).sort();
    expect(await ids(lone)).toEqual(await ids(b));
    expect(await ids(b)).toHaveLength(2);
  });

  it.each([
    [{ ...nightly, schedule: [] }, 'schedule'],
    [{ ...nightly, schedule: [{ weekdays: ['someday'] }] }, 'schedule'],
    [
      { ...nightly, schedule: [{ times: [{ start_time: '10:00', end_time: '09:00' }] }] },
      'schedule',
    ],
    [{ ...nightly, matchers: [] }, 'matchers'],
    [{ ...nightly, comment: '' }, 'comment'],
  ])('is refused: %j', async (body, field) => {
    const answer = await start().request('POST', '/api/v3/silences/recurring', body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.json).toMatchObject({ error: { field } });
  });
});
