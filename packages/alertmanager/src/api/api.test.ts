import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { START_MS, TestNode } from '../testing/world.ts';

const CONFIG = `
route:
  receiver: hook
  group_by: [alertname]
  routes: [{matchers: [team=db], receiver: db, continue: true, labels: {owner: '{{ .CommonLabels.team }}'}}, {matchers: [team=db], receiver: hook, mute_time_intervals: [always], labels: {tier: '{{ .CommonLabels.team }}-1', odd: '{{ .Nope }}'}}]
receivers:
  - {name: hook, webhook_configs: [{url: 'http://hook/'}]}
  - {name: db, labels: {owner: dba}}
inhibit_rules: [{source_matchers: [sev=crit], target_matchers: [sev=warn]}]
time_intervals: [{name: always, time_intervals: [{years: ['2000:3000']}]}]
`;

let node: TestNode;
beforeEach(() => {
  node = new TestNode({ config: CONFIG, settings: { getConcurrency: 2 } });
});
afterEach(async () => {
  await node.close();
  node.removeDirectory();
});

type View = { fingerprint: string; labels: Record<string, string>; status: { state: string } };

async function names(query = ''): Promise<string[]> {
  const answer = await node.request('GET', `/api/v2/alerts${query}`);
  return (answer.json as View[]).map(({ labels }) => labels.alertname ?? '').sort();
}

describe('POST /api/v2/alerts', () => {
  it('fills in times, drops empty labels and keeps the fingerprint', async () => {
    await node.request('POST', '/api/v2/alerts', [
      {
        labels: { alertname: 'T1', x: '1', empty: '' },
        annotations: { a: '' },
        generatorURL: 'http://prom/',
      },
    ]);
    expect((await node.request('GET', '/api/v2/alerts')).json).toEqual([
      {
        annotations: { a: '' },
        endsAt: '2026-01-05T10:05:00.000Z',
        fingerprint: '7f852445bf49c8ac',
        receivers: [{ name: 'hook' }],
        startsAt: '2026-01-05T10:00:00.000Z',
        status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] },
        updatedAt: '2026-01-05T10:00:00.000Z',
        generatorURL: 'http://prom/',
        labels: { alertname: 'T1', x: '1' },
      },
    ]);
  });

  it('begin with their end when only that is told, be it past or to come', async () => {
    for (const [x, endsAt] of [
      ['ahead', node.isoIn(600)],
      ['past', node.isoIn(-600)],
    ]) {
      await node.request('POST', '/api/v2/alerts', [{ labels: { alertname: 'E', x }, endsAt }]);
    }
    // What is over is not listed.
    const { json } = await node.request('GET', '/api/v2/alerts?filter=alertname=E');
    expect(json).toMatchObject([{ labels: { x: 'ahead' }, startsAt: node.isoIn(600) }]);
  });

  it('stores the good ones and names the bad ones', async () => {
    const answer = await node.request('POST', '/api/v2/alerts', [
      { labels: { alertname: 'Good' } },
      { labels: { empty: '' } },
      { labels: { alertname: 'Bad' }, startsAt: node.isoIn(10), endsAt: node.isoIn(5) },
    ]);
    expect(answer.status).toBe(400);
    expect(answer.json).toBe(
      'at least one label pair required; start time must be before end time',
    );
    expect(await names()).toEqual(['Good']);
    expect((await node.request('GET', '/metrics')).text).toContain(
      'alertmanager_alerts_invalid_total{version="v2"} 2',
    );
  });

  it.each([
    ['{', 400],
    ['{}', 400],
    ['[1]', 400],
    ['[{}]', 422],
    ['[{"labels":{"a":1}}]', 400],
    ['[{"labels":{"a":"b"},"startsAt":"yesterday"}]', 400],
    ['[{"labels":{"__proto__":"x"}}]', 200],
  ])('answers %s with %i and goes on', async (body, status) => {
    expect((await node.request('POST', '/api/v2/alerts', body)).status).toBe(status);
    expect((await node.request('GET', '/api/v2/alerts')).status).toBe(200);
  });

  it('takes an alert of thousands of labels, and refuses one of too many alone', async () => {
    const wide = (name: string, count: number) => ({
      labels: {
        alertname: name,
        ...Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, 'v'])),
      },
    });
    const answer = await node.request('POST', '/api/v2/alerts', [
      wide('Thousands', 2_000),
      wide('Many', 300_000),
    ]);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('300002 values; an alert may have 10000 labels');
    const shown = (await node.request('GET', '/api/v2/alerts')).json as {
      labels: Record<string, string>;
    }[];
    expect(shown.map(({ labels }) => labels.alertname)).toEqual(['Thousands']);
  });

  it.each([
    ['[{"labels":{"a":"b"}},]', 400],
    ['[{"labels":{"a":"b"}}] x', 400],
    ['[{"labels":{"a":"]"}}', 400],
    ['[{"labels":{"a":"b"}]]', 400],
    ['[,]', 400],
    ['', 422],
    ['null', 200],
    [' [ ] ', 200],
    ['[{"labels":{"a":"[{\\"\\\\"},"x":[{}]}]', 200],
  ])('reads %s item by item: %i', async (body, status) => {
    expect((await node.request('POST', '/api/v2/alerts', body)).status).toBe(status);
  });

  it('refuses a silence of a hundred thousand annotations', async () => {
    const texts = Array.from({ length: 100_000 }, (_, at) => `"l${at}":"v"`).join();
    const answer = await node.request('POST', '/api/v2/silences', `{"annotations":{${texts}}}`);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('must not have more than 100000 values');
  });

  it('takes halves of characters as unknown ones', async () => {
    await node.request('POST', '/api/v2/alerts', '[{"labels":{"alertname":"x\\ud800y","a":"b"}}]');
    expect(await names()).toEqual(['x\ufffdy']);
  });

  it('gives long lists whole, in turns', async () => {
    const many = Array.from({ length: 4_100 }, (_, i) => ({ labels: { alertname: `A${i}` } }));
    expect((await node.request('POST', '/api/v2/alerts', many)).status).toBe(200);
    for (const path of ['/api/v2/alerts', '/api/v2/alerts/groups']) {
      const answer = node.request('GET', path);
      await node.advance(1);
      const list = (await answer).json as unknown[];
      expect(list).toHaveLength(4_100);
    }
  });

  it('hides what is resolved', async () => {
    await node.fire({ labels: { alertname: 'A' }, startsIn: -10, endsIn: 0 });
    await node.fire({ labels: { alertname: 'B' }, endsIn: 60 });
    expect(await names()).toEqual(['B']);
    await node.advance(61);
    expect(await names()).toEqual([]);
  });

  it('limits alerts of one name when told to', async () => {
    const limited = new TestNode({ config: CONFIG, settings: { perAlertnameLimit: 1 } });
    await limited.fire({ labels: { alertname: 'A', n: '1' } });
    const answer = await limited.fire(
      { labels: { alertname: 'A', n: '2' } },
      { labels: { alertname: 'A', n: '1' } },
    );
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('raise --alerts.per-alertname-limit');
    await limited.close();
    limited.removeDirectory();
  });
});

describe('GET /api/v2/alerts', () => {
  beforeEach(async () => {
    await node.fire(
      { labels: { alertname: 'Crit', sev: 'crit' }, endsIn: 600 },
      { labels: { alertname: 'Warn', sev: 'warn' }, endsIn: 600 },
      { labels: { alertname: 'Db', team: 'db' }, endsIn: 600 },
    );
    await node.silence(['alertname=Db'], 600);
  });

  it('filters by state, matcher and receiver', async () => {
    expect(await names()).toEqual(['Crit', 'Db', 'Warn']);
    expect(await names('?silenced=false')).toEqual(['Crit', 'Warn']);
    expect(await names('?inhibited=false')).toEqual(['Crit', 'Db']);
    expect(await names('?active=false')).toEqual(['Db', 'Warn']);
    expect(
      await names(`?filter=${encodeURIComponent('sev=~"crit|warn"')}&filter=sev!=warn`),
    ).toEqual(['Crit']);
    expect(await names('?receiver=d.')).toEqual(['Db']);
    expect(await names('?receiver_matchers=owner=dba')).toEqual(['Db']);
  });

  it('names who silences and who inhibits', async () => {
    const views = (await node.request('GET', '/api/v2/alerts')).json as View[];
    const crit = views.find(({ labels }) => labels.alertname === 'Crit');
    const warn = views.find(({ labels }) => labels.alertname === 'Warn');
    expect(warn?.status).toMatchObject({ state: 'suppressed', inhibitedBy: [crit?.fingerprint] });
    expect([...views].map(({ fingerprint }) => fingerprint)).toEqual(
      [...views].map(({ fingerprint }) => fingerprint).sort(),
    );
  });

  it.each(['?filter=a', '?filter=', '?receiver=(', '?receiver_matchers=x'])(
    'refuses %s with 400 and a text',
    async (query) => {
      const answer = await node.request('GET', `/api/v2/alerts${query}`);
      expect(answer.status).toBe(400);
      expect(typeof answer.json).toBe('string');
    },
  );

  it('shows groups with what mutes them', async () => {
    const groups = (await node.request('GET', '/api/v2/alerts/groups')).json as {
      labels: Record<string, string>;
      receiver: { name: string };
      routeLabels: unknown;
      alerts: { status: { mutedBy: string[]; state: string } }[];
    }[];
    expect(groups.map(({ labels, receiver }) => `${labels.alertname} ${receiver.name}`)).toEqual([
      'Crit hook',
      'Db db',
      'Db hook',
      'Warn hook',
    ]);
    expect(groups[2]?.alerts[0]?.status).toMatchObject({
      state: 'suppressed',
      mutedBy: ['always'],
    });
    expect(groups[0]?.routeLabels).toEqual({});
    expect(groups[1]?.routeLabels).toEqual({ owner: 'db' });
    expect(groups[2]?.routeLabels).toEqual({
      odd: '{{ .Nope }}',
      tier: '{{ .CommonLabels.team }}-1',
    });
    const shown = (await node.request('GET', '/api/v2/alerts/groups?muted=false'))
      .json as unknown[];
    expect(shown).toHaveLength(3);
  });
});

describe('silences of the API', () => {
  const post = (body: Record<string, unknown>) =>
    node.request('POST', '/api/v2/silences', {
      matchers: [{ name: 'a', value: 'b', isRegex: false }],
      startsAt: node.isoIn(0),
      endsAt: node.isoIn(600),
      createdBy: 'me',
      comment: 'c',
      ...body,
    });
  const idOf = (answer: { json: unknown }): string =>
    (answer.json as { silenceID: string }).silenceID;
  const state = async (id: string): Promise<unknown> => {
    const { json } = await node.request('GET', `/api/v2/silence/${id}`);
    return (json as { status: { state: string } }).status.state;
  };

  it('are shown in full', async () => {
    const id = idOf(await post({ annotations: { ticket: '1' } }));
    expect((await node.request('GET', `/api/v2/silence/${id}`)).json).toEqual({
      id,
      status: { state: 'active' },
      updatedAt: '2026-01-05T10:00:00.000Z',
      annotations: { ticket: '1' },
      comment: 'c',
      createdBy: 'me',
      endsAt: '2026-01-05T10:10:00.000Z',
      matchers: [{ isEqual: true, isRegex: false, name: 'a', value: 'b' }],
      startsAt: '2026-01-05T10:00:00.000Z',
    });
  });

  it('keep their id when an active one is prolonged or cut, with the same start', async () => {
    const id = idOf(await post({}));
    await node.advance(60);
    const startsAt = new Date(START_MS).toISOString();
    expect(idOf(await post({ id, startsAt, endsAt: node.isoIn(9_000) }))).toBe(id);
    expect(idOf(await post({ id, startsAt, comment: 'new' }))).toBe(id);
    expect((await node.request('GET', `/api/v2/silence/${id}`)).json).toMatchObject({
      comment: 'new',
    });
  });

  it('get a new id, and the old one ends, when the past or the matchers would change', async () => {
    const id = idOf(await post({}));
    await node.advance(60);
    const moved = idOf(await post({ id, startsAt: node.isoIn(0) }));
    expect(moved).not.toBe(id);
    expect(await state(id)).toBe('expired');
    const other = idOf(
      await post({ id: moved, matchers: [{ name: 'x', value: 'y', isRegex: false }] }),
    );
    expect(other).not.toBe(moved);
    expect(await state(moved)).toBe('expired');
    expect(await state(other)).toBe('active');
  });

  it('that are pending keep their id while the start stays ahead, and move to now otherwise', async () => {
    const id = idOf(await post({ startsAt: node.isoIn(100) }));
    expect(await state(id)).toBe('pending');
    expect(idOf(await post({ id, startsAt: node.isoIn(200) }))).toBe(id);
    const fresh = idOf(await post({ id, startsAt: node.isoIn(-5) }));
    expect(fresh).not.toBe(id);
    expect((await node.request('GET', `/api/v2/silence/${fresh}`)).json).toMatchObject({
      startsAt: node.isoIn(0),
    });
  });

  it('that have ended are not revived: the id changes', async () => {
    const id = idOf(await post({}));
    await node.request('DELETE', `/api/v2/silence/${id}`);
    expect((await node.request('DELETE', `/api/v2/silence/${id}`)).status).toBe(200);
    expect(idOf(await post({ id }))).not.toBe(id);
    expect(await state(id)).toBe('expired');
  });

  it.each([
    [{ endsAt: '2026-01-05T09:00:00Z' }, 400, 'start time must be before end time'],
    [
      { startsAt: '2026-01-05T08:00:00Z', endsAt: '2026-01-05T09:00:00Z' },
      400,
      "end time can't be in the past",
    ],
    [
      { matchers: [{ name: 'a', value: '.*', isRegex: true }] },
      400,
      'must not match the empty string',
    ],
    [{ matchers: [{ name: 'a', value: '(', isRegex: true }] }, 400, 'error parsing regexp'],
    [{ matchers: [{ name: 'a', value: '(?=x)', isRegex: true }] }, 400, 'error parsing regexp'],
    [{ matchers: [{ name: '', value: 'b', isRegex: false }] }, 400, 'invalid label name'],
    [{ matchers: [{ name: 'a', isRegex: true }] }, 422, 'matchers.0.value in body is required'],
    [{ matchers: [] }, 422, 'at least 1 items'],
    [{ comment: undefined }, 422, 'comment in body is required'],
    [{ id: 'nope' }, 404, 'silence not found'],
  ])('with %j are refused', async (body, status, message) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(message);
  });

  it('are sorted by state and time, and filtered by an equal matcher', async () => {
    const late = idOf(await post({ endsAt: node.isoIn(900) }));
    const soon = idOf(await post({ endsAt: node.isoIn(300) }));
    const pending = idOf(await post({ startsAt: node.isoIn(50) }));
    const ended = idOf(await post({ matchers: [{ name: 'z', value: '1', isRegex: false }] }));
    await node.request('DELETE', `/api/v2/silence/${ended}`);
    const ids = async (query = ''): Promise<string[]> =>
      ((await node.request('GET', `/api/v2/silences${query}`)).json as { id: string }[]).map(
        ({ id }) => id,
      );
    expect(await ids()).toEqual([soon, late, pending, ended]);
    expect(await ids('?expired=false&pending=false')).toEqual([soon, late]);
    expect(await ids('?filter=z="1"')).toEqual([ended]);
    expect(await ids(`?filter=${encodeURIComponent('z=~"1"')}`)).toEqual([]);
  });

  it('are limited in number and size when told to', async () => {
    const limited = new TestNode({
      config: CONFIG,
      settings: { maxSilences: 1, maxSilenceBytes: 250 },
    });
    await limited.silence(['a=b'], 60);
    const second = await limited.request('POST', '/api/v2/silences', {
      matchers: [{ name: 'a', value: 'b', isRegex: false }],
      startsAt: node.isoIn(0),
      endsAt: node.isoIn(60),
      createdBy: 'x',
      comment: 'c',
    });
    expect(second.status).toBe(400);
    expect(second.text).toContain('raise --silences.max-silences');
    await limited.close();
    limited.removeDirectory();
  });

  it('are forgotten after their retention, not before', async () => {
    await node.close();
    node.removeDirectory();
    // Five days, the default, are more than a minute of timers on a busy machine.
    node = new TestNode({ config: CONFIG, settings: { retentionMs: 2 * 3_600_000 } });
    const id = idOf(await post({}));
    await node.advance(600 + 3600);
    expect((await node.request('GET', `/api/v2/silence/${id}`)).status).toBe(200);
    await node.advance(3600 + 900);
    expect((await node.request('GET', `/api/v2/silence/${id}`)).status).toBe(404);
  });
});

describe('the rest of the surface', () => {
  it('shows status, receivers and health', async () => {
    expect((await node.request('GET', '/api/v2/status')).json).toEqual({
      cluster: { status: 'disabled', peers: [] },
      config: { original: expect.stringContaining('receiver: hook') },
      uptime: '2026-01-05T10:00:00.000Z',
      versionInfo: {
        branch: 'pollux',
        buildDate: '',
        buildUser: '',
        goVersion: '',
        revision: '0.1.0',
        version: '0.34.0',
      },
    });
    expect((await node.request('GET', '/api/v2/receivers')).json).toEqual([
      { name: 'hook', labels: { name: 'hook' } },
      { name: 'db', labels: { owner: 'dba', name: 'db' } },
    ]);
    for (const path of ['/-/healthy', '/-/ready']) {
      expect(await node.request('GET', path)).toMatchObject({ status: 200, text: 'OK' });
    }
  });

  it('answers the old API with 410', async () => {
    const answer = await node.request('POST', '/api/v1/alerts', []);
    expect(answer.status).toBe(410);
    expect(answer.json).toMatchObject({ status: 'deprecated' });
  });

  it('counts what upstream counts', async () => {
    await node.fire({ labels: { alertname: 'A' }, endsIn: 3600 });
    await node.advance(31);
    const { text } = await node.request('GET', '/metrics');
    for (const line of [
      'alertmanager_alerts{state="active"} 1',
      'alertmanager_alerts_received_total{status="firing",version="v2"} 1',
      'alertmanager_notifications_total{integration="webhook"} 1',
      'alertmanager_notifications_failed_total{integration="webhook",reason="serverError"} 0',
      'alertmanager_notification_latency_seconds_count{integration="webhook"} 1',
      'alertmanager_config_last_reload_successful 1',
      'alertmanager_dispatcher_aggregation_groups 1',
      'alertmanager_silences{state="active"} 0',
      'alertmanager_receivers 2',
    ]) {
      expect(text).toContain(line);
    }
  });
});
