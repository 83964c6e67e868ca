import { errorText, OperatingError, type Random } from '@pollux/base';
import { Matcher } from '@pollux/model';
import type { Engine } from '@pollux/promql';
import { decodeReadResponse, encodeReadRequest, snappyDecode, snappyEncode } from '@pollux/remote';
import { type CoverageReport, fromWire } from '@pollux/storage';
import type { Absence } from './absence.ts';
import { HeldSeries, withoutLabel } from './held-series.ts';
import {
  type Case,
  judgeAnswer,
  type KnownReplica,
  type Scene,
  type Verdict,
} from './one-truth.ts';
import { formOf, pointsOf, type Told } from './pair-answers.ts';
import { type Collecting, type Collector, judgeCollecting } from './pair-collecting.ts';
import { REPLICA_LABEL } from './pair-configs.ts';
import { INTERVAL_MS } from './pair-plan.ts';
import { anyQuestion, type PairQuestion } from './pair-question.ts';
import { STORES, storeUrl } from './pair-stores.ts';
import type { Firing } from './pair-told.ts';
import { type PairWorld, type Replica, SERVER_PORT } from './pair-world.ts';

/** The names of all series that questions are about. */
const NAMES = new Matcher('__name__', '=~', 'up|c_total|g|flap|b_bucket');
/** A round must find the same at its end as at its beginning; scrapes come in between. */
const MAX_TRIES = 8;
/** After so long the gateway knows who answers. */
const NOTICED_MS = 4_000;
/**
 * What a killed server said of the time behind its newest sample is not believed, and its last sign of life may be so much
 * older still.
 */
const HEARTBEAT_MS = 3_000;

/** What was scheduled so recently is perhaps under way (a scrape may take 3 s), or the gateway has not heard of its end. */
const UNDECIDED_MS = 8_000;

/** A server that has begun has found its targets, and scraped each, after so long. */
const BEGUN_MS = 2 * INTERVAL_MS;
/** A power loss may take so much: an interval of syncs, two of which the disk may hold up, and a scrape that was under way. */
export const UNSYNCED_MS = 14_000;
/** Within this time a sample has reached every store that is there, and what waited for one that was not. */
const SENT_MS = 30_000;

export type RoundReport = {
  readonly asked: readonly { readonly question: PairQuestion; readonly told: Told | string }[];
  readonly cases: readonly Case[];
  readonly faults: readonly string[];
};

/** Asks the gateway many questions at one moment, and judges the answers. */
export async function askRound(
  world: PairWorld,
  random: Random,
  engine: Engine,
): Promise<RoundReport> {
  const time = { startMs: world.startMs, nowMs: world.now() };
  const questions = Array.from({ length: world.plan.questions }, () =>
    anyQuestion(random, world.plan, time),
  );
  for (let tries = 1; ; tries++) {
    const scene = await world.until(sceneOf(world, engine));
    const asked = await world.until(
      Promise.all(
        questions.map(async (question) => ({ question, told: await ask(world, question) })),
      ),
    );
    const after = await world.until(sceneOf(world, engine));
    if (tries < MAX_TRIES && !isSame(scene, after)) continue;
    const reports = scene.replicas.map((replica, i) => ({
      ...replica,
      reports: [...replica.reports, ...after.replicas[i]!.reports],
    }));
    const seen = { ...scene, replicas: reports };
    const { tell } = world.sabotage;
    if (tell === undefined) return judgeRound(seen, asked);
    const falsified = asked.map(async ({ question, told }) => ({
      question,
      told: typeof told === 'string' ? told : await tell(told, question, seen),
    }));
    return judgeRound(seen, await Promise.all(falsified));
  }
}

/** A replica, and whether the gateway surely asks it, or perhaps. */
type Heard = KnownReplica & { readonly isHeard: boolean; readonly mayBeHeard: boolean };
type HeardScene = Omit<Scene, 'replicas'> & { readonly replicas: readonly Heard[] };

async function judgeRound(scene: HeardScene, asked: RoundReport['asked']): Promise<RoundReport> {
  const cases: Case[] = [];
  const faults: string[] = [];
  for (const { question, told } of asked) {
    const what = `at ${scene.atMs} ${question.query} ${JSON.stringify(question.times)}`;
    if (typeof told === 'string') {
      if (scene.replicas.some(({ isHeard }) => isHeard)) faults.push(`${what}: ${told}`);
      continue;
    }
    const verdict = await judgeByAny(scene, question, told);
    cases.push(...new Set(verdict.cases));
    if (verdict.fault !== null) faults.push(`${what} from ${told.from}: ${verdict.fault}`);
  }
  return { asked, cases, faults };
}

/** Of those that perhaps are asked any may have been: the answer must be right for some. */
async function judgeByAny(scene: HeardScene, question: PairQuestion, told: Told): Promise<Verdict> {
  const { replicas } = scene;
  let first: Verdict | null = null;
  for (let chosen = 2 ** replicas.length - 1; chosen > 0; chosen--) {
    const isIn = (i: number): boolean => (chosen & (1 << i)) !== 0;
    if (!replicas.every(({ isHeard, mayBeHeard }, i) => (isIn(i) ? mayBeHeard : !isHeard)))
      continue;
    const asked = replicas.map((one, i) => (isIn(i) ? one : { ...one, held: null }));
    const verdict = await judgeAnswer({ ...scene, replicas: asked }, question, told);
    if (verdict.fault === null) return verdict;
    first ??= verdict;
  }
  return first ?? { cases: [], fault: 'an answer, though nobody could be asked' };
}

/** The answer, or what was wrong with it. */
async function ask(world: PairWorld, { query, times }: PairQuestion): Promise<Told | string> {
  try {
    const path = `/api/v1/query${times.stepMs > 0 ? '_range' : ''}`;
    const { status, headers, body } = await world.askGateway(path, formOf(query, times));
    const text = new TextDecoder().decode(body);
    if (status !== 200) return `${status} ${text}`;
    const { data, warnings = [] } = JSON.parse(text);
    return { points: pointsOf(data), warnings, from: headers['x-pollux-replica'] ?? '' };
  } catch (error) {
    return errorText(error);
  }
}

async function sceneOf(world: PairWorld, engine: Engine): Promise<HeardScene> {
  const nowMs = world.now();
  const replicas = await Promise.all(
    world.replicas.map(async (replica, index) => {
      const [twin, held, report] = await Promise.all([
        readAll(world, replica.twin),
        readAll(world, replica.name).catch(() => null),
        reportOf(world, replica.name).catch(() => null),
      ]);
      const polled = world.coverage.of(replica.name);
      const aheadMs = world.plan.aheadMs[index]!;
      const isThere = held !== null && replica.role !== null;
      const cut = replica.unheard.at(-1);
      const isCutOff = cut?.toMs === null && cut.fromMs < nowMs - NOTICED_MS;
      return {
        name: replica.name,
        twin,
        held,
        doubtful: replica.down.map(({ fromMs, toMs }) => ({
          minMs: fromMs + aheadMs - INTERVAL_MS - HEARTBEAT_MS,
          maxMs: (toMs ?? Number.MAX_SAFE_INTEGER) + aheadMs + 2 * INTERVAL_MS,
        })),
        startsMs: replica.down.flatMap(({ toMs }) => (toMs === null ? [] : [toMs + aheadMs])),
        decidedMs: nowMs + aheadMs - UNDECIDED_MS,
        sinceMs: (replica.sinceMs ?? nowMs) + aheadMs,
        reports: [polled, report].flatMap((one) => one ?? []),
        isHeard: isThere && !isNear(replica, nowMs),
        mayBeHeard: held !== null && !isCutOff,
      };
    }),
  );
  return { engine, replicas, atMs: nowMs - world.startMs };
}

/** Whether something has just happened to it of which the gateway may not know. */
function isNear(replica: Replica, nowMs: number): boolean {
  return [...replica.down, ...replica.unheard].some(
    ({ toMs }: Absence) => toMs === null || toMs > nowMs - NOTICED_MS,
  );
}

/** All that a server holds of what questions are about. */
function readAll(world: PairWorld, host: string, names = NAMES): Promise<HeldSeries> {
  return readFrom(world, `http://${host}:${SERVER_PORT}/api/v1/read`, [names]);
}

async function readFrom(
  world: PairWorld,
  url: string,
  matchers: readonly Matcher[],
): Promise<HeldSeries> {
  const query = { startMs: 0, endMs: world.now() + 3_600_000, matchers, hints: null };
  const { status, body } = await world.request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyEncode(encodeReadRequest({ queries: [query], accepted: ['samples'] })),
  });
  if (status !== 200) throw new OperatingError('SIM.READ', `${url}: ${status}`);
  const [series = []] = decodeReadResponse(await snappyDecode(body));
  return new HeldSeries(series.map((columns) => withoutLabel(columns, REPLICA_LABEL)));
}

/** Where a store lacks what a server has held for long enough to have sent it. */
export async function notStored(world: PairWorld): Promise<readonly string[]> {
  if (world.stores === null) return [];
  const found: string[] = [];
  for (const [index, { name }] of world.replicas.entries()) {
    const held = await world.until(readAll(world, name));
    const due = held.upTo(world.now() + world.plan.aheadMs[index]! - SENT_MS);
    for (const store of STORES) {
      const own = new Matcher(REPLICA_LABEL, '=', name);
      const kept = await world.until(readFrom(world, storeUrl(store, 'read'), [NAMES, own]));
      const lost = due.strangerTo(kept);
      if (lost !== null)
        found.push(`lost: ${store} has not ${lost.labels} at ${lost.timeMs} of ${name}`);
    }
  }
  return found;
}

async function reportOf(world: PairWorld, host: string): Promise<CoverageReport> {
  const url = `http://${host}:${SERVER_PORT}/api/v1/pollux/coverage`;
  const { status, body } = await world.request({ method: 'GET', url });
  if (status !== 200) throw new OperatingError('SIM.COVERAGE', `${host}: ${status}`);
  return fromWire(JSON.parse(new TextDecoder().decode(body)));
}

function isSame(before: HeardScene, after: HeardScene): boolean {
  return before.replicas.every(({ twin, held }, i) => {
    const now = after.replicas[i]!;
    return countOf(twin) === countOf(now.twin) && countOf(held) === countOf(now.held);
  });
}

function countOf(held: HeldSeries | null): number {
  if (held === null) return -1;
  return [...held.series.values()].reduce((sum, { count }) => sum + count, 0);
}

/** What a server holds when its process ends, and must hold for ever after. */
export async function heldBy(world: PairWorld, replica: Replica): Promise<HeldSeries | null> {
  return world.until(readAll(world, replica.name).catch(() => null));
}

/**
 * What is wrong with what servers hold at the end: a sample that the twin has not, since nothing may be invented; one that is
 * gone, though a query could see it before the process ended; and replicas that scrape in step, among which a blend of both
 * would pass.
 */
export async function storedWrongly(
  world: PairWorld,
  owed: ReadonlyMap<Replica, readonly HeldSeries[]>,
): Promise<readonly string[]> {
  const found: string[] = [];
  const phases = new Set<string>();
  for (const replica of world.replicas) {
    const { name, twin } = replica;
    const [whole, held] = await world.until(
      Promise.all([readAll(world, twin), readAll(world, name)]),
    );
    const invented = held.strangerTo(whole);
    if (invented !== null)
      found.push(
        `invented: ${name} holds ${invented.labels} at ${invented.timeMs}, its twin does not`,
      );
    for (const before of owed.get(replica) ?? []) {
      const lost = before.strangerTo(held);
      if (lost !== null) found.push(`lost: ${name} held ${lost.labels} at ${lost.timeMs}`);
    }
    for (const { labels, timestampsMs } of whole.series.values()) {
      if (labels.metricName !== 'up') continue;
      const phase = `${labels} ${timestampsMs[0]! % INTERVAL_MS}`;
      if (phases.has(phase)) found.push(`no world: replicas scrape in step: ${phase}`);
      phases.add(phase);
    }
  }
  return found;
}

/** Invariant I1 for the whole run; all servers run by now. */
export async function collectedIn(world: PairWorld): Promise<Collecting> {
  const nowMs = world.now();
  const servers = await Promise.all(
    world.replicas.map(async ({ name, twin, down, sinceMs }, index): Promise<Collector> => {
      const aheadMs = world.plan.aheadMs[index]!;
      const [whole, held] = await world.until(
        Promise.all([readAll(world, twin), readAll(world, name)]),
      );
      return {
        name,
        twin: whole,
        held,
        away: [
          { minMs: 0, maxMs: (sinceMs ?? nowMs) + aheadMs + BEGUN_MS },
          ...down.map(({ fromMs, toMs }) => ({
            minMs: fromMs + aheadMs - UNSYNCED_MS - INTERVAL_MS,
            maxMs: (toMs ?? nowMs) + aheadMs + BEGUN_MS,
          })),
        ],
        decidedMs: nowMs + aheadMs - UNDECIDED_MS,
      };
    }),
  );
  return judgeCollecting(servers);
}

/** When which target fires by the twins' histories. */
export async function firingOf(world: PairWorld): Promise<readonly Firing[]> {
  const found: Firing[] = [];
  for (const [replica, { twin }] of world.replicas.entries()) {
    const held = await world.until(readAll(world, twin, new Matcher('__name__', '=', 'ALERTS')));
    const aheadMs = world.plan.aheadMs[replica]!;
    for (const { labels, count, timestampsMs, values } of held.series.values()) {
      if (labels.get('alertstate') !== 'firing') continue;
      const instance = labels.get('instance');
      let fromMs: number | null = null;
      for (let i = 0; i < count; i++) {
        const atMs = timestampsMs[i]! - aheadMs;
        if (values[i] === 1) fromMs ??= atMs;
        const isLast = i === count - 1;
        if (fromMs === null || (values[i] === 1 && !isLast)) continue;
        found.push({ replica, instance, fromMs, toMs: atMs });
        fromMs = null;
      }
    }
  }
  return found;
}
