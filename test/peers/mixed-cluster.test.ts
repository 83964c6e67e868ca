import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hook, hookConfig } from '../cluster/hook.ts';
import { isRealInstalled, Member, REAL_ALERTMANAGER, until } from '../cluster/member.ts';
import { freePort } from '../soak/child-process.ts';

const isInstalled = isRealInstalled();
const title = isInstalled
  ? `two of ours and ${REAL_ALERTMANAGER}`
  : `two of ours and a real Alertmanager (skipped: ${REAL_ALERTMANAGER} is not installed; npm run peers installs it)`;

const PEER_TIMEOUT_S = 3;
const GROUPS = 30;
/** The last in order waits for two members, then sends; whatever comes later would be a repetition. */
const ALL_TURNS_MS = (1 + 2 * PEER_TIMEOUT_S + 1.5) * 1_000;
const GONE = /peer (left|joined)|NotifyLeave|NotifyJoin/;

describe.skipIf(!isInstalled)(title, { timeout: 40_000 }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'mixed-cluster-'));
  const hook = new Hook();
  /** Names sort so: ours, the real one (a ULID of our time begins with 0), ours. */
  let first: Member;
  let real: Member;
  let last: Member;
  let all: readonly Member[];

  beforeAll(async () => {
    const url = await hook.start();
    const ports: number[] = [];
    for (let i = 0; i < 6; i++) ports.push(await freePort());
    const [a = 0, b = 0, c = 0, ...web] = ports;
    const member = (kind: 'ours' | 'real', name: string, at: number, index: number): Member =>
      new Member({
        kind,
        directory: path.join(directory, name),
        config: hookConfig(url, name),
        webPort: web[index] ?? 0,
        clusterPort: at,
        peerPorts: [a, b, c].filter((port) => port !== at),
        flags: [
          `--cluster.peer-timeout=${PEER_TIMEOUT_S}s`,
          '--cluster.settle-timeout=2s',
          '--cluster.pushpull-interval=5s',
          '--cluster.reconnect-interval=2s',
          '--log.level=debug',
          ...(kind === 'ours' ? [`--cluster.peer-name=${name}`] : []),
        ],
      });
    first = member('ours', '00-first', a, 0);
    real = member('real', 'real', b, 1);
    last = member('ours', 'zz-last', c, 2);
    all = [first, real, last];
    await Promise.all(all.map((one) => one.start()));
    await agree(all);
  });

  afterAll(async () => {
    await Promise.all((all ?? []).map((one) => one.stop()));
    await hook.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('list the same three members at the same addresses', async () => {
    const [ours, theirs, others] = await Promise.all(all.map((one) => one.cluster()));
    const sorted = (status: typeof ours): unknown =>
      [...(status?.peers ?? [])].sort((x, y) => (x.name < y.name ? -1 : 1));
    expect(sorted(theirs)).toEqual(sorted(ours));
    expect(sorted(others)).toEqual(sorted(ours));
    expect(ours?.peers.map(({ address }) => address).sort()).toEqual(
      all.map(({ options }) => `127.0.0.1:${options.clusterPort}`).sort(),
    );
  });

  test('share silences made on any of them, small, large and ended', async () => {
    const ids: string[] = [];
    for (const one of all) {
      ids.push(await silence(one, `small of ${one.options.clusterPort}`));
      ids.push(await silence(one, `large of ${one.options.clusterPort} ${'words '.repeat(300)}`));
    }
    await everywhere('all silences', async (one) => {
      const known = new Set((await one.silences()).map(({ id }) => id));
      return ids.every((id) => known.has(id));
    });
    // Each is ended on another member than it was made on.
    for (const [index, id] of ids.entries()) {
      const one = all[(Math.floor(index / 2) + 1) % 3];
      await fetch(`${one?.url}/api/v2/silence/${id}`, { method: 'DELETE' });
    }
    await everywhere('all silences ended', async (one) => {
      const states = (await one.silences()).filter(({ id }) => ids.includes(id));
      return states.every(({ status }) => status.state === 'expired');
    });
  });

  test('tell that the real one has a silence: a small one at once, a large one after a push/pull', {
    timeout: 60_000,
  }, async () => {
    const small = await silence(first, 'small');
    await until('all have the small one', () => isSeenByAll(small), 5_000);
    await fetch(`${last.url}/api/v2/silence/${small}`, { method: 'DELETE' });
    await until('all have its end', () => isSeenByAll(small), 5_000);
    // Every five seconds with one of two members.
    const large = await silence(first, 'words '.repeat(300));
    await until('all have the large one', () => isSeenByAll(large), 50_000);
  });

  test(`send one notification for each of ${GROUPS} groups, whoever is first`, async () => {
    await fire('ours-first', all);
    await pause(ALL_TURNS_MS);
    expectOnce('ours-first', '00-first');
  });

  test('suspect the one that hangs, and take its word when it goes on', async () => {
    const before = all.map(({ lines }) => lines.length);
    const since = (one: Member): number => before[all.indexOf(one)] ?? 0;
    last.signal('SIGSTOP');
    await until(
      'the real one suspects ours',
      () => isSuspected(real, 'zz-last', since(real)),
      9_000,
    );
    last.signal('SIGCONT');
    await until('ours objects', () => last.logged(/refuting/, since(last)).length > 0, 5_000);
    const { name } = await real.cluster();
    const afterFirst = first.lines.length;
    real.signal('SIGSTOP');
    await until('ours suspects the real one', () => isSuspected(first, name, afterFirst), 9_000);
    real.signal('SIGCONT');
    await until(
      'the real one objects',
      () => real.logged(/[Rr]efuting/, since(real)).length > 0,
      5_000,
    );
    // Long enough for a suspicion that was not taken back to end in a death.
    await pause(4_500);
    await agree(all);
    for (const one of all) expect(one.logged(GONE, since(one))).toEqual([]);
  });

  test('gossip and answer after the oddest silences that ours takes', async () => {
    const odd = [
      [{ name: 'Ünïcode lábel 名', value: 'wert', isRegex: false, isEqual: true }],
      [
        { name: 'id', value: 'never', isRegex: false, isEqual: true },
        { name: 'zone', value: '', isRegex: false, isEqual: false },
        { name: 'a', value: '(x|y)+.*', isRegex: true, isEqual: false },
      ],
      [{ name: 'id', value: 'n{2,3}\\d\\pL(?i:x)', isRegex: true, isEqual: true }],
      [{ name: 'id', value: 'line\nbreak "quote" \\ 名 \u0000', isRegex: false, isEqual: true }],
    ];
    const ids: string[] = [];
    for (const matchers of odd) {
      const body = {
        ...draft('odd \u0007 名'),
        matchers,
        annotations: { ключ: 'знач', empty: '' },
      };
      const made = await first.post<{ silenceID: string }>('/api/v2/silences', body);
      ids.push(made.silenceID);
    }
    // What Go's expressions do not know would end every silence on its members.
    for (const value of ['(?=x)y', '(a)\\1', 'x(?<!y)', '[', 'a{2000}']) {
      const matchers = [{ name: 'id', value, isRegex: true, isEqual: true }];
      await expect(first.post('/api/v2/silences', { ...draft('no'), matchers })).rejects.toThrow(
        ': 400 ',
      );
    }
    await everywhere('the odd silences', async (one) => {
      const known = new Set((await one.silences()).map(({ id }) => id));
      return ids.every((id) => known.has(id));
    });
    const seen = (await real.silences()).filter(({ id }) => ids.includes(id));
    expect(seen.map(({ matchers }) => matchers.length).sort()).toEqual([1, 1, 1, 3]);
    // An ordinary silence still holds there, and an alert that no silence names is active.
    await silence(first, 'after the odd ones', 'held');
    await everywhere('the one after', async (one) =>
      (await one.silences()).some(({ comment }) => comment === 'after the odd ones'),
    );
    await real.post('/api/v2/alerts', [
      { labels: { alertname: 'odd', id: 'held' } },
      { labels: { alertname: 'odd', id: 'free' } },
    ]);
    const state = async (id: string): Promise<string | undefined> => {
      const query = `/api/v2/alerts?filter=${encodeURIComponent(`id="${id}"`)}`;
      const [alert] = await real.get<{ status: { state: string } }[]>(query);
      return alert?.status.state;
    };
    await until('one held, one free', async () => {
      return (await state('held')) === 'suppressed' && (await state('free')) === 'active';
    });
    await silence(real, 'back from there');
    await everywhere('what comes back', async (one) =>
      (await one.silences()).some(({ comment }) => comment === 'back from there'),
    );
  });

  test('notify for a member that is killed with alerts in hand', async () => {
    await fire('killed', all);
    first.signal('SIGKILL');
    await until('all groups are notified', () => missing('killed').length === 0, 12_000);
    // Of both: one that counts the dead one still is second for itself too, and both wait as long.
    for (const one of [real, last]) {
      await until(
        `the dead one is gone for ${one.url}`,
        async () => (await one.cluster()).peers.length === 2,
        9_000,
      );
    }
    // The real one is first now, and its log keeps ours from sending.
    await fire('real-first', [real, last]);
    // Behind a loss it asks the real one first, for a second at most.
    await pause((1 + PEER_TIMEOUT_S + 1 + 1.5) * 1_000);
    expectOnce('killed');
    expectOnce('real-first', 'real');
  });

  function isSuspected(by: Member, name: string, from: number): boolean {
    const pattern =
      by.kind === 'real'
        ? /Suspect .* has failed|[Ss]uspect/
        : /no acknowledgement; suspecting|suspected by/;
    return by.logged(pattern, from).some((line) => line.includes(name));
  }

  async function isSeenByAll(id: string): Promise<boolean> {
    const path = `/api/v3/silences/${id}/seen`;
    const { members } = await first.get<{ members: { name: string; state: string }[] }>(path);
    const others = members.filter(({ state }) => state !== 'seen');
    if (others.length > 0) throw new Error(others.map(({ name, state }) => name + state).join());
    return members.length === 3;
  }

  async function everywhere(what: string, isSo: (one: Member) => Promise<boolean>): Promise<void> {
    await Promise.all(all.map((one) => until(`${what} on ${one.url}`, () => isSo(one), 8_000)));
  }

  async function fire(run: string, to: readonly Member[]): Promise<void> {
    const alerts = ids(run).map((id) => ({ labels: { alertname: 'mixed', id } }));
    await Promise.all(to.map((one) => one.post('/api/v2/alerts', alerts)));
  }

  function missing(run: string): string[] {
    return ids(run).filter((id) => hook.of(id).length === 0);
  }

  /** Exactly one message for each group of a run; from one member only, where it is named. */
  function expectOnce(run: string, from?: string): void {
    const counts = ids(run).map((id) => `${id}: ${hook.of(id).length}`);
    expect(counts).toEqual(ids(run).map((id) => `${id}: 1`));
    if (from === undefined) return;
    expect(new Set(ids(run).map((id) => hook.of(id)[0]?.from))).toEqual(new Set([from]));
  }
});

const ids = (run: string): string[] => Array.from({ length: GROUPS }, (_, i) => `${run}-${i}`);

async function agree(members: readonly Member[]): Promise<void> {
  await Promise.all(
    members.map((one) =>
      until(
        `${one.url} is ready and sees all`,
        async () => {
          const { status, peers } = await one.cluster();
          return status === 'ready' && peers.length === members.length;
        },
        20_000,
      ),
    ),
  );
}

function draft(comment: string): Record<string, unknown> {
  const now = Date.now();
  return {
    startsAt: new Date(now).toISOString(),
    endsAt: new Date(now + 3_600_000).toISOString(),
    createdBy: 'test',
    comment,
  };
}

async function silence(on: Member, comment: string, id = 'nobody'): Promise<string> {
  const matchers = [{ name: 'id', value: id, isRegex: false, isEqual: true }];
  const made = await on.post<{ silenceID: string }>('/api/v2/silences', {
    ...draft(comment),
    matchers,
  });
  return made.silenceID;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
