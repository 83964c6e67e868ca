import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { SeededRandom } from '@pollux/base';
import { Hook, hookConfig } from '../cluster/hook.ts';
import { Member, type MemberKind, until } from '../cluster/member.ts';
import { freePort } from './child-process.ts';
import { evidenceOf } from './cluster-evidence.ts';
import { type ClusterRun, judge, type Kill } from './cluster-judge.ts';

/**
 * `npm run soak -- cluster`: three alertmanagers under a steady stream of alerts, each alert a group of its own and posted to
 * all, as servers do. `--kills`: so often the member that notifies is killed at a random moment and comes back as the last
 * in order. The judge then holds every delivery against what the order of the members and the notification log call for:
 * too few and too many both fail.
 */
const { values } = parseArgs({
  options: {
    members: { type: 'string', default: 'ours,ours,ours' },
    kills: { type: 'string', default: '20' },
    rate: { type: 'string', default: '20' },
    /** Of the stream, when nobody is killed. */
    seconds: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'npm run soak -- cluster [--members=ours,ours,real] [--kills=20] [--rate=20] [--seconds=8] [--seed=1]\n' +
      'POLLUX_TEST_ALERTMANAGER names the program of real members.',
  );
  process.exit(0);
}

const GROUP_WAIT_MS = 1_000;
const PEER_TIMEOUT_MS = 15_000;
/** How often this process looks whether it is late itself, ms. */
const LOOK_MS = 5;
/** A member that does not answer in 5 s gets an alert again, so often. */
const MAX_POSTS = 10;
const rate = Number(values.rate);
const kills = Number(values.kills);
const random = new SeededRandom(Number(values.seed));
const directory = mkdtempSync(path.join(tmpdir(), 'pollux-cluster-'));
const hook = new Hook();
const posted = new Map<string, number>();
const taken = new Set<string>();
const killed: Kill[] = [];
const members = await startMembers(values.members.split(',') as MemberKind[]);
let mostQueued = 0;
let repeated = 0;

try {
  await agree(members.length);
  const stop = new AbortController();
  // It posts, takes and looks at the clock: what held it up is in every figure of the judge.
  const own = monitorEventLoopDelay({ resolution: LOOK_MS });
  own.enable();
  const streaming = stream(stop.signal);
  const watching = watchQueues(stop.signal);
  if (kills === 0) await pause(Number(values.seconds) * 1_000);
  for (let round = 1; round <= kills; round++) await killTheFirst(round);
  stop.abort();
  await Promise.all([streaming, watching]);
  own.disable();
  // Whoever thinks it is last in order has had its turn then.
  await pause(GROUP_WAIT_MS + (members.length - 1) * PEER_TIMEOUT_MS + 3_000);
  const evidence = members.flatMap((member, index) =>
    evidenceOf(`${index}`, member.lines, performance.timeOrigin),
  );
  const run: ClusterRun = {
    posted,
    killed,
    delivered: hook.delivered,
    evidence,
    groupWaitMs: GROUP_WAIT_MS,
  };
  const verdict = judge(run);
  console.log(verdict.lines.join('\n'));
  const untaken = [...posted.keys()].filter((id) => !taken.has(id)).length;
  console.log(
    `${repeated} posts were not answered in time and repeated; ${untaken} alerts no member took`,
  );
  console.log(`most messages queued for gossip on one member: ${mostQueued}`);
  const ownLateMs = [own.percentile(99), own.max].map((ns) => Math.round(ns / 1e6 - LOOK_MS));
  console.log(`this process itself was late by p99 ${ownLateMs[0]}, most ${ownLateMs[1]} ms`);
  process.exitCode = verdict.isKept ? 0 : 1;
} finally {
  await Promise.all(members.map((member) => member.stop()));
  await hook.close();
  rmSync(directory, { recursive: true, force: true });
}

async function startMembers(kinds: readonly MemberKind[]): Promise<Member[]> {
  const url = await hook.start();
  const ports: number[] = [];
  for (let i = 0; i < 2 * kinds.length; i++) ports.push(await freePort());
  const clusterPorts = ports.slice(0, kinds.length);
  const made = kinds.map(
    (kind, index) =>
      new Member({
        kind,
        directory: path.join(directory, `${index}-${kind}`),
        config: hookConfig(url, `${index}`, { groupWait: `${GROUP_WAIT_MS}ms` }),
        webPort: ports[kinds.length + index] ?? 0,
        clusterPort: clusterPorts[index] ?? 0,
        peerPorts: clusterPorts.filter((_, other) => other !== index),
        flags: [
          `--cluster.peer-timeout=${PEER_TIMEOUT_MS}ms`,
          // A member that comes back is to have its place soon, so that the next kill can come.
          ...(kills > 0
            ? [
                '--cluster.settle-timeout=4s',
                '--cluster.reconnect-interval=2s',
                // Doubles are explained from the logs.
                '--log.level=debug',
              ]
            : []),
        ],
      }),
  );
  // One after the other: names sort by the time of the start.
  for (const member of made) await member.start();
  return made;
}

/** Posts alerts to all members that live. Behind its rate it still lets its requests be served. */
async function stream(signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  for (let next = 0; !signal.aborted; next++) {
    await pause(Math.max(0, startMs + (next * 1_000) / rate - performance.now()));
    const id = `g${next}`;
    posted.set(id, performance.now());
    const alert = { labels: { alertname: 'soak', id }, endsAt: new Date(Date.now() + 3_600_000) };
    for (const member of members) void give(member, id, alert);
  }
}

/**
 * A server repeats an alert until it is taken: what no member has on a busy machine, none can tell. An alert counts as posted
 * when the last of the members has taken it. One that does not answer at all is dead.
 */
async function give(member: Member, id: string, alert: object): Promise<void> {
  for (let attempt = 1; attempt <= MAX_POSTS; attempt++) {
    try {
      await member.post('/api/v2/alerts', [alert]);
      posted.set(id, performance.now());
      taken.add(id);
      return;
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      if (!isLate) return;
      repeated++;
    }
  }
}

/** The first in order is the one that notifies. */
async function killTheFirst(round: number): Promise<void> {
  await pause(1_000 + random.next() * 4_000);
  const names = await Promise.all(members.map(async (member) => (await member.cluster()).name));
  const [first = ''] = [...names].sort();
  const index = names.indexOf(first);
  const member = members[index];
  if (member === undefined) return;
  await pause(random.next() * 1_000);
  member.signal('SIGKILL');
  const atMs = performance.now();
  killed.push({ atMs, member: `${index}` });
  await member.stop();
  const others = members.filter((one) => one !== member);
  await until(
    'the survivors notice',
    async () => {
      const peers = await Promise.all(others.map(async (one) => (await one.cluster()).peers));
      return peers.every((list) => list.length === members.length - 1);
    },
    20_000,
  );
  const noticedMs = performance.now() - atMs;
  await pause(1_500);
  await member.start();
  await agree(members.length);
  console.log(
    `kill ${round}: member ${index}, noticed by both after ${Math.round(noticedMs)} ms, ${posted.size} groups so far`,
  );
}

async function agree(count: number): Promise<void> {
  for (const member of members) {
    await until(
      'all are ready and see all',
      async () => {
        const { status, peers } = await member.cluster();
        return status === 'ready' && peers.length === count;
      },
      60_000,
    );
  }
}

async function watchQueues(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const member of members) {
      const queued = await member.metric('alertmanager_cluster_messages_queued').catch(() => 0);
      mostQueued = Math.max(mostQueued, queued);
    }
    await pause(500);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
