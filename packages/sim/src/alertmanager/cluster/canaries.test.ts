import type { Env, HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import { GossipNode, type StateChannel, type StatePart } from '@pollux/gossip';
import { afterEach, expect, test, vi } from 'vitest';
import { DATA } from '../simulated-member.ts';
import { type ClusterPlan, planOf, UNIT_SEEDS } from './cluster-plan.ts';
import { type ClusterReport, describeFailure, runCluster } from './cluster-run.ts';
import { ClusterWorld, type Sabotage } from './cluster-world.ts';
import { TooFew } from './too-few.ts';

const TIMEOUT_MS = 300_000;
const AGAIN_MS = 3_000;
const FIRES_AGAIN_MS = 10_000;
const DEAF_AFTER_MS = 30_000;
const LOOK_MS = 1_000;

/** Bugs, each put in from outside, with the runs that it can show itself in and what must be said of it. */
type Canary = {
  readonly bug: string;
  readonly shows: (plan: ClusterPlan) => boolean;
  readonly says: RegExp;
  readonly sabotage?: Sabotage;
  readonly begin?: () => void;
};

const isCluster = ({ kind, members }: ClusterPlan): boolean =>
  kind === 'calm' && members >= 2 && members <= 5;

const CANARIES: readonly Canary[] = [
  {
    bug: 'members do not wait for each other',
    shows: isCluster,
    says: /too many: /,
    sabotage: { flags: ['--cluster.peer-timeout=0s'] },
  },
  {
    bug: 'every member takes itself for the first',
    shows: isCluster,
    says: /too many: /,
    begin: () => void vi.spyOn(GossipNode.prototype, 'position').mockReturnValue(0),
  },
  {
    bug: 'the notification log is not shared',
    shows: isCluster,
    says: /too many: /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'silences are not shared',
    shows: (plan) => isCluster(plan) && hasSilence(plan),
    says: /silences differ: /,
    begin: () => notShared('sil'),
  },
  {
    bug: 'silences of others are not applied',
    shows: (plan) => isCluster(plan) && hasSilence(plan),
    says: /silenced everywhere, but told: /,
    begin: () => notShared('sil'),
  },
  {
    bug: 'the notification log is not shared, where the network loses much anyway',
    shows: ({ kind, members }) => kind === 'lossy' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'members end with different logs',
    shows: isCluster,
    says: /the log of m\d+ is behind: /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'news of the log go round with whole states only, where members die anyway',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    begin: () => notTold('nfl'),
  },
  {
    bug: 'what is told is told once more, where doubles have many excuses',
    shows: ({ kind, members }) => kind === 'cut' && members <= 5,
    says: /too many: m\d+ to r\d of g\d firing\[.*\], sent at \d+ ms when the log of m\d+ had firing/,
    sabotage: { env: toldAgain },
  },
  {
    bug: 'entries of the log live too short',
    shows: isCluster,
    says: /too many: |too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { flags: ['--data.retention=1s'] },
  },
  {
    bug: 'what goes on is not repeated',
    shows: isCluster,
    says: /too few: nobody repeated to r\d that g\d\/\d is firing/,
    sabotage: { env: withoutRepeats },
  },
  {
    bug: 'members fall silent',
    shows: isCluster,
    says: /a live member was declared dead at /,
    sabotage: { env: deafAfterAWhile },
  },
  {
    bug: 'power loss takes the disk with it',
    shows: ({ kind, members }) => kind === 'crash' && members === 1,
    // What it told as firing it tells again, or never tells the end of.
    says: /too many: |too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { disk: (files) => files.removeTree(DATA) },
  },
  {
    bug: 'a refusal is taken for an acceptance',
    shows: ({ kind, members }) => kind === 'receiver' && members <= 5,
    says: /too few: nobody told /,
    sabotage: { env: (env) => ({ ...env, net: alwaysAccepted(env.net) }) },
  },
  {
    bug: 'ends are not sent',
    shows: (plan) => isCluster(plan) && plan.sendResolved.includes(true),
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: withoutEnds },
  },
  // Bugs that could hide behind what excuses a run.
  {
    bug: 'who lost its disk does not ask the others for the log',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    sabotage: { disk: (files) => files.removeTree(DATA) },
    begin: () => notExchanged('nfl'),
  },
  {
    bug: 'what others told is not taken over, where members die',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: onlyOwnEnds },
  },
  {
    bug: 'what has ended is told to fire again and again, and nobody answers that',
    shows: isCluster,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: firesForever },
  },
  {
    bug: 'what others told is not taken over, where clocks are wrong',
    shows: ({ kind, members }) => kind === 'storm' && members >= 2 && members <= 5,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: onlyOwnEnds },
  },
  {
    bug: 'all but the first wait for the first only, where members die',
    shows: ({ kind, members }) => kind === 'crash' && members >= 3 && members <= 5,
    says: /too many: /,
    begin: oneTurnForAll,
  },
];

afterEach(() => vi.restoreAllMocks());

test.each(CANARIES)(
  'a run tells when $bug',
  async ({ shows, says, sabotage, begin }) => {
    begin?.();
    const found = await firstFailure({ shows, says }, sabotage);
    expect(found, `none of ${UNIT_SEEDS} seeds says so`).not.toBeNull();
    if (found === null) return;
    const text = describeFailure(found);
    expect(text).toContain(`seed ${found.plan.seed}: ${found.plan.kind}, `);
    expect(text).toMatch(/^ +\d+ {3}m\d+ -> r\d g\d firing/m);
    expect(text).toContain(`npm run soak -- alertmanager --first=${found.plan.seed} --seeds=1`);
  },
  TIMEOUT_MS,
);

test(
  'the same seed gives the same run to the last byte, another seed another',
  async () => {
    for (const seed of [1, 3, 5]) {
      const [first, again] = [await runCluster(seed), await runCluster(seed)];
      expect(first.messages).toBeGreaterThan(3);
      expect(again).toEqual(first);
      expect((await runCluster(seed + 11)).digest).not.toBe(first.digest);
    }
  },
  TIMEOUT_MS,
);

/** Of two members the first is cut off from the receiver before the end of what it told. */
const CUT: ClusterPlan = {
  ...planOf(1),
  kind: 'cut',
  members: 2,
  servers: 1,
  groups: 1,
  alertsPerGroup: 1,
  groupWaitMs: 1_000,
  groupIntervalMs: 5_000,
  peerTimeoutMs: 2_500,
  link: { minDelayMs: 0.2, maxDelayMs: 20, loss: 0, duplication: 0 },
  answerMs: 5,
  slowAnswerMs: 1_000,
  sendResolved: [true],
  aheadMs: [0, 0],
  steps: [
    { atMs: 0, event: { kind: 'fire', alert: { group: 0, index: 0 } } },
    { atMs: 15_000, event: { kind: 'cut', from: ['m000'], to: ['sink'] } },
    { atMs: 15_000, event: { kind: 'cut', from: ['sink'], to: ['m000'] } },
    { atMs: 16_000, event: { kind: 'resolve', alert: { group: 0, index: 0 } } },
    { atMs: 40_000, event: { kind: 'heal' } },
  ],
  calmFromMs: 70_000,
};

// Drawn runs of this kind hardly show it: who told the beginning tells the end itself once it hears of it, or the alert begins anew first.
test.each([
  { what: 'nothing when another tells the end', sabotage: {}, says: [] },
  {
    what: 'that nobody takes over the end of what another told',
    sabotage: { env: onlyOwnEnds },
    says: [expect.stringMatching(/^too few: nobody told r0 that g0\/0 is resolved: m001 /)],
  },
])(
  'where members are cut off from receivers, a run tells $what',
  async ({ sabotage, says }) => {
    const cluster = new ClusterWorld(CUT, sabotage);
    await cluster.start();
    const tooFew = new TooFew(cluster);
    for (let atMs = 0; atMs <= CUT.calmFromMs; atMs += LOOK_MS) {
      for (const step of CUT.steps) if (step.atMs === atMs) cluster.apply(step.event);
      await cluster.world.advance(LOOK_MS);
      tooFew.look();
    }
    expect(tooFew.problems).toEqual(says);
    const told = cluster.receivers.accepted(0, 0).map(({ member }) => member);
    expect(told).toEqual(says.length === 0 ? ['m000', 'm001'] : ['m000']);
    await cluster.end();
  },
  TIMEOUT_MS,
);

async function firstFailure(
  { shows, says }: Pick<Canary, 'shows' | 'says'>,
  sabotage: Sabotage | undefined,
): Promise<ClusterReport | null> {
  for (let seed = 1; seed <= UNIT_SEEDS; seed++) {
    if (!shows(planOf(seed))) continue;
    const report = await runCluster(seed, sabotage);
    if (report.problems.some((problem) => says.test(problem))) return report;
  }
  return null;
}

function hasSilence({ steps }: ClusterPlan): boolean {
  return steps.some(({ event }) => event.kind === 'silence');
}

/** Members keep this state to themselves. */
function notShared(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    if (name !== key) return addState.call(this, name, part);
    addState.call(this, name, { marshal: () => new Uint8Array(0), merge: () => {} });
    return { broadcast: () => {} };
  });
}

/** Changes reach others with exchanges of whole states only. */
function notTold(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    const channel = addState.call(this, name, part);
    return name === key ? { broadcast: () => {} } : channel;
  });
}

/** Changes reach others, whole states are empty. */
function notExchanged(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    if (name !== key) return addState.call(this, name, part);
    const merge: StatePart['merge'] = (data, holder) => part.merge(data, holder);
    return addState.call(this, name, { marshal: () => new Uint8Array(0), merge });
  });
}

/** All but the first wait for one member. */
function oneTurnForAll(): void {
  const position = GossipNode.prototype.position;
  vi.spyOn(GossipNode.prototype, 'position').mockImplementation(function (this: GossipNode) {
    return Math.min(1, position.call(this));
  });
}

type Told = { readonly alerts: readonly { readonly status: string }[]; readonly groupKey: string };

/** What a message is about, and whether it tells of ends only. */
function toldIn(asked: HttpClientRequest): { readonly key: string; readonly isEnd: boolean } {
  const { alerts, groupKey } = JSON.parse(String(asked.body)) as Told;
  const isEnd = alerts.every(({ status }) => status === 'resolved');
  return { key: `${asked.url} ${groupKey}`, isEnd };
}

const ACCEPTED: HttpClientResponse = { status: 200, headers: {}, body: new Uint8Array(0) };

/** The end of what another member told, or this one before its restart, is dropped on the way. */
function onlyOwnEnds(env: Env): Env {
  const own = new Set<string>();
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { key, isEnd } = toldIn(asked);
    if (isEnd && !own.has(key)) return Promise.resolve(ACCEPTED);
    if (!isEnd) own.add(key);
    return env.net.request(asked);
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** Behind the first end the beginning is told again and again, and no other end. */
function firesForever(env: Env): Env {
  const beginnings = new Map<string, HttpClientRequest>();
  const ended = new Set<string>();
  const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { key, isEnd } = toldIn(asked);
    const { signal: _, ...again } = asked;
    if (!isEnd) beginnings.set(key, again);
    if (isEnd && ended.has(key)) return ACCEPTED;
    const answer = await env.net.request(asked);
    if (isEnd && answer.status === 200) {
      ended.add(key);
      const tell = (): void => {
        const beginning = beginnings.get(key);
        if (beginning !== undefined) void env.net.request(beginning).catch(() => {});
        env.clock.after(FIRES_AGAIN_MS, tell);
      };
      env.clock.after(FIRES_AGAIN_MS, tell);
    }
    return answer;
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** What a receiver has accepted it gets again after a while. */
function toldAgain(env: Env): Env {
  const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const answer = await env.net.request(asked);
    if (answer.status === 200) {
      const { signal: _, ...again } = asked;
      env.clock.after(AGAIN_MS, () => void env.net.request(again).catch(() => {}));
    }
    return answer;
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** A message with the same alerts as the one before is dropped on the way, as if it had been accepted. */
function withoutRepeats(env: Env): Env {
  const last = new Map<string, string>();
  const answer = { status: 200, headers: {}, body: new Uint8Array(0) };
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { groupKey, alerts } = JSON.parse(String(asked.body));
    const told = JSON.stringify(
      alerts.map(({ status, labels }: { status: string; labels: object }) => [status, labels]),
    );
    const key = `${asked.url} ${groupKey}`;
    if (last.get(key) === told) return Promise.resolve(answer);
    last.set(key, told);
    return env.net.request(asked);
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** From then on a member hears nothing and answers nothing of the others'. */
function deafAfterAWhile(env: Env): Env {
  const deafFromMs = env.clock.monotonic() + DEAF_AFTER_MS;
  const isDeaf = (): boolean => env.clock.monotonic() >= deafFromMs;
  const { net } = env;
  const deaf: Net = {
    ...withRequest(net, (asked) => net.request(asked)),
    bindUdp: (at, onPacket) =>
      net.bindUdp(at, (data, from) => {
        if (!isDeaf()) onPacket(data, from);
      }),
    listenTcp: (at, onConnection) =>
      net.listenTcp(at, (connection) => {
        if (!isDeaf()) onConnection(connection);
      }),
  };
  return { ...env, net: deaf };
}

/** Whatever the receivers answer. */
function alwaysAccepted(net: Net): Net {
  return withRequest(net, async (request) => ({ ...(await net.request(request)), status: 200 }));
}

/** Messages that only tell of ends are dropped on the way, as if they had been accepted. */
function withoutEnds(env: Env): Env {
  const answer = { status: 200, headers: {}, body: new Uint8Array(0) };
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> =>
    String(asked.body).includes('"status":"resolved","alerts"')
      ? Promise.resolve(answer)
      : env.net.request(asked);
  return { ...env, net: withRequest(env.net, request) };
}

function withRequest(net: Net, request: Net['request']): Net {
  return {
    bindUdp: (at, onPacket) => net.bindUdp(at, onPacket),
    listenTcp: (at, onConnection) => net.listenTcp(at, onConnection),
    connectTcp: (to, options) => net.connectTcp(to, options),
    serveHttp: (options, handler) => net.serveHttp(options, handler),
    resolve: (host, signal) => net.resolve(host, signal),
    openPool: (options) => net.openPool(options),
    request,
  };
}
