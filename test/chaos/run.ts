import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Env, type Random, SeededRandom, sleep } from '@pollux/base';
import { findLayout, HOSTS } from '@pollux/roles/up';
import { Hook } from '../cluster/hook.ts';
import { OneAddress } from './address.ts';
import { freePortOf } from './free-port.ts';
import { handMadePair } from './hand-made-pair.ts';
import { History } from './history.ts';
import { Hosts } from './hosts.ts';
import { Isolation } from './isolation.ts';
import { LackingWatch } from './lacking-watch.ts';
import { LEAST_PAUSE_MS, type Plan } from './plan.ts';
import { polluxPair } from './pollux-pair.ts';
import { Questions } from './questions.ts';
import type { Alarm, ChaosRecord, Notification, PlayedFault, SetUpName } from './record.ts';
import { Silencer } from './silencer.ts';
import { Targets } from './targets.ts';

const ASK_EVERY_MS = 1_000;

export type RunOptions = {
  readonly env: Env;
  readonly setUp: SetUpName;
  readonly seed: number;
  readonly planOf: (random: Random, isIsolated: boolean) => Plan;
  /** Why hosts cannot have a network and a disk of their own; null when they can. */
  readonly isolationMissing: string | null;
  readonly say: (line: string) => void;
  /** Ends everything early. */
  readonly signal: AbortSignal;
};

/** One set-up through the faults of a seed; resolves with all that was seen. */
export async function runChaos(options: RunOptions): Promise<ChaosRecord> {
  const { env, seed, isolationMissing, say } = options;
  const random = new SeededRandom(seed);
  const plan = options.planOf(random, isolationMissing === null);
  const directory = mkdtempSync(path.join(tmpdir(), 'pollux-chaos-'));
  const targets = new Targets();
  const hook = new Hook();
  const isolation = isolationMissing === null ? await Isolation.open() : null;
  await targets.start(isolation?.userAddress ?? '127.0.0.1');
  const found = await findLayout(true);
  const layout = { ...found, addresses: isolation?.addresses ?? found.addresses };
  for (const host of HOSTS) isolation?.mount(host, path.join(directory, host, 'data'));
  const site = {
    layout,
    directory,
    targets,
    hookUrl: await hook.start(isolation?.userAddress),
    freePort: freePortOf(layout, found.addresses),
  };
  const setUp = await (options.setUp === 'pollux' ? polluxPair(site) : handMadePair(site));
  const history = new History(env, setUp, env.clock.now());
  const hosts = new Hosts(env, setUp, {
    targets,
    isolation,
    beforeWipe: (host) => history.keep(host),
  });
  const lacking = new LackingWatch(env, setUp);
  try {
    await hosts.start();
    const fromMs = env.clock.now() + plan.warmUpMs;
    const alarms = alarmsFrom(plan, fromMs);
    targets.alarms = alarms;
    say(`${setUp.name}: up, ${plan.faults.length} faults to come`);
    await sleep(env.clock, plan.warmUpMs, options.signal);
    const address = new OneAddress(setUp.entries);
    const questions = new Questions(address, random, fromMs);
    const silencer = new Silencer(env.clock, address);
    const ended = fromMs + plan.durationMs;
    const [faults, silences] = await Promise.all([
      playAll(options, { hosts, plan, fromMs, ended }),
      silencer.silenceAll(alarms, options.signal),
      askUntil(options, questions, ended),
      lacking.watchUntil(ended, options.signal),
    ]);
    const toMs = env.clock.now();
    const stored = await history.stored();
    return {
      setUp: setUp.name,
      seed,
      fromMs,
      toMs,
      isolationMissing,
      faults,
      alarms,
      silences,
      scrapes: targets.scrapes,
      outages: hosts.outages,
      wiped: hosts.wiped,
      lacking: lacking.seen,
      answers: questions.answers,
      notifications: notificationsOf(hook),
      samples: await history.samples(),
      stored,
    };
  } finally {
    await hosts.stop();
    await targets.close();
    await hook.close();
    await isolation?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function alarmsFrom(plan: Plan, fromMs: number): Alarm[] {
  return plan.alarms.map((alarm) => ({
    ...alarm,
    riseMs: fromMs + alarm.riseMs,
    fallMs: fromMs + alarm.fallMs,
  }));
}

async function playAll(
  { env, say, signal }: RunOptions,
  {
    hosts,
    plan,
    fromMs,
    ended,
  }: {
    readonly hosts: Hosts;
    readonly plan: Plan;
    readonly fromMs: number;
    readonly ended: number;
  },
): Promise<PlayedFault[]> {
  const played: PlayedFault[] = [];
  for (const fault of plan.faults) {
    const earliestMs = (played.at(-1)?.recoveredMs ?? 0) + LEAST_PAUSE_MS;
    const beginMs = Math.max(fromMs + fault.atMs, earliestMs);
    // What recovered slowly has moved it behind the end.
    if (beginMs + fault.durationMs + LEAST_PAUSE_MS > ended) break;
    await sleep(env.clock, Math.max(0, beginMs - env.clock.now()), signal);
    const done = await hosts.play(fault);
    played.push(done);
    const seconds = ((done.fromMs - fromMs) / 1_000).toFixed(0);
    const lasted = ((done.endedMs - done.fromMs) / 1_000).toFixed(1);
    const recovered = ((done.recoveredMs - done.endedMs) / 1_000).toFixed(1);
    say(
      `${seconds.padStart(5)} s  ${done.kind} ${done.host} (${done.processes.join(', ') || '-'}): ${lasted} s, answers again after ${recovered} s`,
    );
  }
  return played;
}

async function askUntil(
  { env, signal }: RunOptions,
  questions: Questions,
  ended: number,
): Promise<void> {
  const asked: Promise<void>[] = [];
  while (env.clock.now() < ended) {
    const beganMs = env.clock.now();
    asked.push(questions.askAll());
    await sleep(env.clock, Math.max(0, beganMs + ASK_EVERY_MS - env.clock.now()), signal);
  }
  await Promise.all(asked);
}

function notificationsOf(hook: Hook): Notification[] {
  return hook.delivered.flatMap(({ atMs, status, ids, from }) => {
    const host = HOSTS.find((name) => name === from);
    if (host === undefined) throw new RangeError(`a notification from ${from}`);
    return ids.map((id) => ({
      id,
      status,
      from: host,
      atMs: Math.round(performance.timeOrigin + atMs),
    }));
  });
}
