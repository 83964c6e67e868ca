import {
  type Clock,
  type Env,
  type File,
  type Files,
  type Net,
  OperatingError,
} from '@pollux/base';
import { planQuery, readQueryParams, viewPast } from '@pollux/gateway';
import { GossipNode, type StateChannel, type StatePart } from '@pollux/gossip';
import { mergeQueryables } from '@pollux/storage';
import { afterEach, expect, test, vi } from 'vitest';
import type { Scene } from './one-truth.ts';
import { evaluate, formOf, type Told } from './pair-answers.ts';
import { INTERVAL_MS, LOOKBACK_MS, pairPlanOf, SHORT } from './pair-plan.ts';
import type { PairQuestion } from './pair-question.ts';
import { runPair } from './pair-run.ts';
import { withRequest } from './pair-watch.ts';
import type { PairSabotage } from './pair-world.ts';
import { TARGET_PORT } from './target-double.ts';

const TIMEOUT_MS = 600_000;
const MAX_SEEDS = 12;
/** By so much the log is behind what was acknowledged. */
const LATE_MS = 3_000;

/** Bugs, each put in from outside, and what must be said of it. */
const CANARIES: Readonly<
  Record<string, { readonly sabotage: PairSabotage; readonly says: RegExp }>
> = {
  'samples of the replicas are blended': { sabotage: { tell: blended }, says: /is not/ },
  'what is not covered is not told': {
    sabotage: { coverage: (report) => ({ ...report, serverGaps: [], subjects: [] }) },
    says: /is not/,
  },
  'seams have no guard': { sabotage: { guardMs: 0 }, says: /is not/ },
  'windows have no offset': { sabotage: { tell: withoutOffset }, says: /is not/ },
  'a gap is not named': {
    sabotage: { tell: async (told) => ({ ...told, warnings: [] }) },
    says: /nobody covers something, and no warning/,
  },
  'another time is named than that of the gap': {
    sabotage: { tell: async (told) => ({ ...told, warnings: told.warnings.map(anHourEarlier) }) },
    says: /and it is not named: /,
  },
  'scrapes fail that would succeed': {
    sabotage: { serverEnv: (env) => ({ ...env, net: failingScrapes(env.net) }) },
    says: /^not collected: .* failed/,
  },
  'scrapes are left out': {
    sabotage: { serverEnv: (env) => ({ ...env, clock: lateTimers(env.clock) }) },
    says: /^not collected: .* missed/,
  },
  'samples are acknowledged before they are written': {
    sabotage: { serverEnv: (env) => ({ ...env, files: lazyFiles(env) }) },
    says: /^lost: /,
  },
};

afterEach(() => vi.restoreAllMocks());

test.each(Object.entries(CANARIES))(
  'a run tells when %s',
  async (_, { sabotage, says }) => {
    for (let seed = 1; seed <= MAX_SEEDS; seed++) {
      const { problems } = await runPair(seed, undefined, sabotage);
      if (problems.some((problem) => says.test(problem))) return;
    }
    expect.unreachable(`${MAX_SEEDS} worlds and nothing found`);
  },
  TIMEOUT_MS,
);

test(
  'a run tells when a server takes a write for stored that no store has',
  async () => {
    const size = { ...SHORT, storesEvery: 1, rounds: 0, questions: 0 };
    const serverEnv = (env: Env): Env => {
      let writes = 0;
      const accepted = { status: 204, headers: {}, body: new Uint8Array(0) };
      const request: Env['net']['request'] = async (asked) =>
        asked.url.includes('/prom/write') && ++writes % 10 === 0
          ? accepted
          : env.net.request(asked);
      return { ...env, net: withRequest(env.net, request) };
    };
    const { problems } = await runPair(1, size, { serverEnv });
    expect(problems.join('\n')).toMatch(/^lost: store-[ab] has not /m);
  },
  TIMEOUT_MS,
);

test(
  'a run tells when a silence is lost on its way to the other member',
  async () => {
    const addState = GossipNode.prototype.addState;
    vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
      this: GossipNode,
      key: string,
      part: StatePart,
    ): StateChannel {
      if (key !== 'sil') return addState.call(this, key, part);
      addState.call(this, key, { marshal: () => new Uint8Array(0), merge: () => {} });
      return { broadcast: () => {} };
    });
    const size = { ...SHORT, alertsEvery: 1, rounds: 0, questions: 0 };
    for (let seed = 1, tried = 0; tried < MAX_SEEDS; seed++) {
      if (!pairPlanOf(seed, size).steps.some(({ event }) => event.kind === 'silence')) continue;
      tried++;
      const { problems } = await runPair(seed, size);
      if (problems.some((problem) => problem.startsWith('silenced, but told: '))) return;
    }
    expect.unreachable(`${MAX_SEEDS} worlds and nothing found`);
  },
  TIMEOUT_MS,
);

async function blended(told: Told, { query, times }: PairQuestion, scene: Scene): Promise<Told> {
  const [first, ...others] = scene.replicas.flatMap(({ held }) => held ?? []);
  if (first === undefined) return told;
  return {
    ...told,
    points: await evaluate(scene.engine, query, times, mergeQueryables(first, others)),
  };
}

/** As the gateway, but that it looks for gaps where the samples would be without the offset. */
async function withoutOffset(told: Told, question: PairQuestion, scene: Scene): Promise<Told> {
  const { query, times } = question;
  const bare = query.replaceAll(/ offset \d+s/g, '');
  if (bare === query || told.warnings.length > 0) return told;
  const how = { nowMs: times.endMs, lookbackMs: LOOKBACK_MS };
  const params = readQueryParams(formOf(bare, times), times.stepMs > 0, how)!;
  const live = scene.replicas.filter(({ held }) => held !== null);
  const known = live.map(({ name, reports }) => ({ name, report: reports.at(-1) ?? null }));
  const past = viewPast(known, params.selectors);
  const { pieces } = planQuery({ ...params, past, preferred: 0, canSplice: true });
  const [{ replica }] = pieces as [(typeof pieces)[number]];
  if (replica === null) return told;
  const points = await evaluate(scene.engine, query, times, live[replica]!.held!);
  return { ...told, points };
}

function anHourEarlier(warning: string): string {
  return warning.replace(/\d{4}-\S+?Z/g, (time) =>
    new Date(Date.parse(time) - 3_600_000).toISOString(),
  );
}

/** A network in which one request in seven to a target finds nobody. */
function failingScrapes(net: Net): Net {
  let requests = 0;
  return withRequest(net, async (asked) => {
    const isScrape = asked.url.includes(`:${TARGET_PORT}/`);
    if (isScrape && ++requests % 7 === 0) throw new OperatingError('SIM.CANARY', 'nobody there');
    return net.request(asked);
  });
}

/** A clock of which one timer in forty that is about as long as a scrape interval goes off too late. */
function lateTimers(clock: Clock): Clock {
  let timers = 0;
  return replacing(clock, 'after', (delayMs: number, callback: () => void) => {
    const isLate = delayMs > INTERVAL_MS / 2 && delayMs <= INTERVAL_MS && ++timers % 40 === 0;
    return clock.after(isLate ? delayMs + 3 * INTERVAL_MS : delayMs, callback);
  });
}

/** A disk whose log is written some seconds after it was said to be. */
function lazyFiles({ clock, files }: Env): Files {
  return replacing(files, 'open', (path: string, mode: Parameters<Files['open']>[1]): File => {
    const file = files.open(path, mode);
    if (!path.includes('/wal/') || mode === 'r') return file;
    return replacing(file, 'write', (source, offset, length, position) => {
      const copy = source.slice(offset, offset + length);
      clock.after(LATE_MS, () => {
        try {
          file.write(copy, 0, length, position);
        } catch {
          // It was closed meanwhile: what was acknowledged is lost.
        }
      });
    });
  });
}

/** An object that does one thing otherwise. */
function replacing<T extends object, K extends keyof T>(of: T, name: K, by: T[K]): T {
  return new Proxy(of, {
    get: (target, key) => {
      if (key === name) return by;
      const member: unknown = Reflect.get(target, key);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
