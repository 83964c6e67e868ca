import { createHash } from 'node:crypto';
import { disagreements, Watch } from './agreement.ts';
import { type ClusterPlan, describeEvent, planOf } from './cluster-plan.ts';
import { ClusterWorld, MAINTENANCE_MS, type Sabotage } from './cluster-world.ts';
import { gossipBoundMs, repairBoundMs, settleBoundMs, tellBoundMs } from './promises.ts';
import { TooFew } from './too-few.ts';
import { tooMany } from './too-many.ts';

/** How often the checks look at a run, ms. */
const LOOK_MS = 1_000;
/** Members must agree at one of so many looks at the end. */
const AGREEMENT_LOOKS = 4;
const MAX_TIMELINE = 120;
const MAX_LOG = 60;

export type ClusterReport = {
  readonly plan: ClusterPlan;
  /** What broke a promise; empty for a good run. */
  readonly problems: readonly string[];
  /** Doubles that a death, a cut or a loss explains. */
  readonly excused: readonly string[];
  readonly messages: number;
  /** Of all that members logged and receivers got: equal for equal runs. */
  readonly digest: string;
  /** What was done and what was told, in order. */
  readonly timeline: readonly string[];
};

/** Plays the run of a seed and holds it to I4. */
export async function runCluster(seed: number, sabotage: Sabotage = {}): Promise<ClusterReport> {
  const plan = planOf(seed);
  const cluster = new ClusterWorld(plan, sabotage);
  await cluster.start();
  const tooFew = new TooFew(cluster);
  const watch = new Watch(cluster);
  const look = (): void => {
    tooFew.look();
    watch.look();
  };
  for (const { atMs, event } of plan.steps) {
    if (atMs >= plan.calmFromMs) continue;
    await advanceTo(cluster, atMs, look);
    cluster.apply(event);
  }
  await advanceTo(cluster, plan.calmFromMs, look);
  cluster.makeWell();
  const restMs = settleBoundMs(plan) + Math.max(repairBoundMs(plan), tellBoundMs(plan, 0));
  await advanceTo(cluster, plan.calmFromMs + restMs, look);
  let apart = await untilDone(cluster, disagreements(cluster));
  // Something may just have been told, and snapshots are written now and then.
  for (let looks = 1; apart.length > 0 && looks < AGREEMENT_LOOKS; looks++) {
    await cluster.world.advance(MAINTENANCE_MS + gossipBoundMs(plan));
    apart = await untilDone(cluster, disagreements(cluster));
  }
  const many = tooMany(cluster);
  const problems = [...tooFew.problems, ...many.problems, ...watch.conclude(), ...apart];
  const { deliveries } = cluster.receivers;
  const hash = createHash('sha256');
  for (const { line } of cluster.logs) hash.update(line);
  hash.update(JSON.stringify(deliveries));
  const report = {
    plan,
    problems,
    excused: many.excused,
    messages: deliveries.filter(({ acceptedMs }) => acceptedMs !== null).length,
    digest: hash.digest('hex'),
    timeline: problems.length === 0 ? [] : timelineOf(cluster),
  };
  await cluster.end();
  return report;
}

/** A run that failed, for people: what was wrong, the timeline, and how to see it again. */
export function describeFailure({ plan, problems, timeline }: ClusterReport): string {
  const { seed, kind, members, peerTimeoutMs, groupIntervalMs, repeatIntervalMs, link } = plan;
  return [
    `seed ${seed}: ${kind}, ${members} members, peer timeout ${peerTimeoutMs}, group interval ${groupIntervalMs}, repeat interval ${repeatIntervalMs}, link ${JSON.stringify(link)}`,
    ...problems.map((problem) => `  ${problem}`),
    'timeline (ms since the cluster had settled):',
    ...timeline.map((line) => `  ${line}`),
    `again: npm run soak -- alertmanager --first=${seed} --seeds=1`,
  ].join('\n');
}

async function advanceTo(cluster: ClusterWorld, atMs: number, look: () => void): Promise<void> {
  const endMs = cluster.startMs + atMs;
  while (cluster.now() < endMs) {
    await cluster.world.advance(Math.min(LOOK_MS, endMs - cluster.now()));
    look();
  }
}

/** Moves time until the work is done. */
async function untilDone<T>(cluster: ClusterWorld, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  // The rejection is the caller's.
  done.catch(() => {});
  while (!isDone) await cluster.world.advance(10);
  return done;
}

function timelineOf(cluster: ClusterWorld): string[] {
  const at = (ms: number): string => String(ms - cluster.startMs).padStart(7);
  const done = cluster.plan.steps.map(({ atMs, event }) => ({
    atMs: atMs + cluster.startMs,
    text: describeEvent(event),
  }));
  const told = cluster.receivers.deliveries.map((delivery) => ({
    atMs: delivery.beganMs,
    text: `  ${delivery.member} -> r${delivery.receiver} g${delivery.group} firing[${delivery.firing}] resolved[${delivery.resolved}] ${delivery.acceptedMs === null ? 'not accepted' : `accepted at ${delivery.acceptedMs - cluster.startMs}`}`,
  }));
  const events = [...done, ...told].sort((a, b) => a.atMs - b.atMs).slice(-MAX_TIMELINE);
  return [
    ...events.map(({ atMs, text }) => `${at(atMs)} ${text}`),
    'log:',
    ...cluster.logs.slice(-MAX_LOG).map(({ atMs, line }) => `${at(atMs)} ${line}`),
  ];
}
