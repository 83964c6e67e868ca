import type { Matcher } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { parseExpr, stepWindow, walk } from '@pollux/promql/parser';
import {
  type CoverageReport,
  fromWire,
  type Interval,
  intervalSet,
  mayMatchAny,
  overlaps,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Dump, EVERYTHING } from '../dump.ts';
import { LOOKBACK_MS, promise, SCRAPE_MS, type World } from '../world.ts';

const QUERIES = [
  'node_load1',
  'rate(node_cpu_seconds_total{mode="idle",cpu="0"}[6s])',
  'max by (instance) (timestamp(up{job="node"}))',
];
const RANGE_MS = 40_000;
/** The evaluation lies this far back, so that every scrape up to it is committed when it is recomputed. */
const BEHIND_MS = 600;
const SERVERS = ['A', 'B'] as const;

type Series = {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
};
type Asked = {
  readonly query: string;
  readonly timeMs: number;
  readonly isRange: boolean;
  readonly series: readonly Series[];
  readonly warnings: readonly string[];
  /**
   * What each server said it covers just before the question; null when it said nothing. A server that is killed later
   * takes back what it had not yet written down, but its answer was right.
   */
  readonly reports: readonly (CoverageReport | null)[];
};

/**
 * One server is killed, comes back; then the other is stopped in its tracks, and then the first again, each as soon as the
 * other covers. All the while one instant and one range query a second go through the gateway.
 */
export async function answersThroughOutages(world: World): Promise<void> {
  const first = world.anyHost();
  const second = world.other(first);
  await untilCovering(world, first);
  await untilCovering(world, second);
  const startMs = world.now();
  const stop = new AbortController();
  const asking = ask(world, stop.signal);
  await world.sleep(3_000);

  await world.stop(`${first}/server`, 'SIGKILL');
  await world.sleep(4_000);
  world.start(`${first}/server`);
  await untilCovering(world, first);
  world.signal(`${second}/server`, 'SIGSTOP');
  await world.sleep(6_000);
  world.signal(`${second}/server`, 'SIGCONT');
  await untilCovering(world, second);
  world.signal(`${first}/server`, 'SIGSTOP');
  await world.sleep(6_000);
  world.signal(`${first}/server`, 'SIGCONT');
  await untilCovering(world, first);
  await world.sleep(2_000);
  stop.abort();
  const asked = await asking;
  promise(asked.length > 40, `a question each second was asked, not ${asked.length} in all`);
  await recompute(world, asked, startMs - RANGE_MS - LOOKBACK_MS);
}

/** Waits until a server covers a whole lookback up to now. */
async function untilCovering(world: World, host: 'A' | 'B'): Promise<void> {
  await world.ready(`${host}/server`);
  await world.eventually(`server ${host} covers`, LOOKBACK_MS + 20_000, async () => {
    const now = world.now();
    const report = await coverageOf(world, host, now - LOOKBACK_MS - 2_000);
    const holes = holesOf(report, report.subjects);
    const isCovering =
      report.sinceMs < now - LOOKBACK_MS &&
      !overlaps(intervalSet(holes), now - LOOKBACK_MS - 1_500, now);
    return isCovering ? true : null;
  });
}

async function coverageOf(
  world: World,
  host: 'A' | 'B',
  sinceMs: number,
  timeoutMs?: number,
): Promise<CoverageReport> {
  const window = `start=${sinceMs / 1_000}&end=${(world.now() + 60_000) / 1_000}`;
  const url = `${world.url(`${host}/server`)}/api/v1/pollux/coverage?${window}`;
  return fromWire(await world.json(url, undefined, 'GET', timeoutMs));
}

async function ask(world: World, signal: AbortSignal): Promise<Asked[]> {
  const asked: Asked[] = [];
  let before: readonly (CoverageReport | null)[] = [];
  let last: Asked[] = [];
  for (let round = 0; !signal.aborted; round++) {
    const startMs = world.env.clock.monotonic();
    const query = QUERIES[round % QUERIES.length] ?? 'up';
    const timeMs = world.now() - BEHIND_MS;
    const now = await Promise.all(
      SERVERS.map((host) =>
        coverageOf(world, host, timeMs - RANGE_MS - LOOKBACK_MS, 300).catch(() => null),
      ),
    );
    // The gateway learns within its health interval, half a round, that a server is back.
    const reports = now.map((report, index) => (before[index] === null ? null : report));
    before = now;
    asked.push(...last.map((answer) => ({ ...answer, reports: stillThere(answer.reports, now) })));
    const [instant, range] = await Promise.all([
      askOne(world, { query, timeMs, isRange: false, reports }),
      askOne(world, { query, timeMs, isRange: true, reports }),
    ]);
    for (const answer of [instant, range]) checkFresh(answer);
    last = [instant, range];
    await world.sleep(Math.max(0, 1_000 - (world.env.clock.monotonic() - startMs)));
  }
  return [...asked, ...last];
}

/**
 * A server that fell while it was being asked was not there to be asked: it may have reported its
 * coverage, and stopped before the gateway's request came. Outages last longer than a round.
 */
function stillThere(
  reports: Asked['reports'],
  after: readonly (CoverageReport | null)[],
): Asked['reports'] {
  return reports.map((report, index) => (after[index] === null ? null : report));
}

async function askOne(
  world: World,
  question: Pick<Asked, 'query' | 'timeMs' | 'isRange' | 'reports'>,
): Promise<Asked> {
  const { query, timeMs, isRange } = question;
  const end = timeMs / 1_000;
  const times = isRange ? `start=${end - RANGE_MS / 1_000}&end=${end}&step=1` : `time=${end}`;
  const path = isRange ? 'query_range' : 'query';
  const url = `${world.url('gateway')}/api/v1/${path}?query=${encodeURIComponent(query)}&${times}`;
  const startMs = world.env.clock.monotonic();
  const { data, warnings = [] } = await world.json<{
    data: { result: Series[] };
    warnings?: string[];
  }>(url);
  const tookMs = world.env.clock.monotonic() - startMs;
  promise(
    tookMs < 3_000,
    `an answer within the health interval and its own time, not ${Math.round(tookMs)} ms`,
  );
  return { ...question, series: data.result, warnings };
}

/** The newest sample behind each answer is at most two intervals old. */
function checkFresh({ query, series, timeMs, isRange }: Asked): void {
  promise(series.length > 0, `${query} has an answer at ${new Date(timeMs).toISOString()}`);
  if (!query.includes('timestamp')) return;
  for (const { metric, value, values } of series) {
    const newest = value ?? values?.at(-1);
    const isLast = !isRange || (newest?.[0] ?? 0) * 1_000 > timeMs - 500;
    const ageMs = timeMs - Number(newest?.[1] ?? 0) * 1_000;
    promise(
      isLast && ageMs <= 2 * SCRAPE_MS,
      `the newest sample of ${metric.instance} is at most 2 intervals old, not ${Math.round(ageMs)} ms`,
    );
  }
}

/** Every answered step equals, bit for bit, the query over one server that covered the step's window. */
async function recompute(world: World, asked: readonly Asked[], sinceMs: number): Promise<void> {
  const now = world.now();
  const views = await Promise.all(
    SERVERS.map(async (host) => ({
      report: await coverageOf(world, host, sinceMs),
      dump: await Dump.read(world, `${world.url(`${host}/server`)}/api/v1/read`, {
        minMs: sinceMs,
        maxMs: now,
        matchers: EVERYTHING,
        drop: ['cluster', 'prometheus_replica'],
      }),
    })),
  );
  const engine = new Engine({
    clock: world.env.clock,
    registry: new Registry(),
    log: Log.silent(),
    lookbackMs: LOOKBACK_MS,
  });
  let compared = 0;
  for (const answer of asked) {
    const { query, timeMs, isRange } = answer;
    const times = {
      startMs: isRange ? timeMs - RANGE_MS : timeMs,
      endMs: timeMs,
      stepMs: isRange ? 1_000 : 0,
    };
    const expr = parseExpr(query);
    const window = stepWindow(expr, LOOKBACK_MS, times);
    const selectors: (readonly Matcher[])[] = [];
    walk(expr, (node) => {
      if (node.kind === 'vector-selector') selectors.push(node.matchers);
    });
    const beforeMs = Math.max(0, ...window.moving.map((moving) => moving.beforeMs));
    const truths = await Promise.all(views.map(({ dump }) => pointsOf(engine, dump, query, times)));
    const given = pointsOfAnswer(answer);
    let isCoveredWhole = true;
    for (let at = times.startMs; at <= times.endMs; at += Math.max(1, times.stepMs)) {
      const window = { fromMs: at - beforeMs, toMs: at };
      const covers = (report: CoverageReport | null | undefined): boolean =>
        report !== null && report !== undefined && coversStep(report, selectors, window);
      // Who was there to be asked and covered the step; what nobody there covered is (c) of the invariant.
      if (!SERVERS.some((_, index) => covers(answer.reports[index]))) {
        isCoveredWhole = false;
        continue;
      }
      const able = SERVERS.flatMap((_, index) =>
        covers(answer.reports[index]) || covers(views[index]?.report) ? [index] : [],
      );
      const step = given.get(at) ?? '';
      const isTrue = able.some((index) => (truths[index]?.get(at) ?? '') === step);
      promise(
        isTrue,
        `${query} at ${new Date(at).toISOString()} is what one covering server alone says: ${step} is none of ${able
          .map((index) => `${SERVERS[index]}: ${truths[index]?.get(at)}`)
          .join(
            '; ',
          )}; its warnings: ${JSON.stringify(answer.warnings)}; ${holesText(views[0]?.report, views[1]?.report, answer.reports)}`,
      );
      compared++;
    }
    if (isCoveredWhole) {
      const { warnings } = answer;
      promise(
        warnings.length === 0,
        `no warning while somebody covers, not ${warnings.join('; ')}`,
      );
    }
  }
  promise(compared > asked.length, `steps were compared, not only ${compared}`);
}

function holesText(...reports: readonly unknown[]): string {
  return `coverage in the end of A, of B, and when asked: ${JSON.stringify(reports)}`;
}

/** Where it does not answer alone: gaps, and seams between its own samples and its twin's. */
function holesOf(
  { serverGaps, seams = [] }: CoverageReport,
  subjects: CoverageReport['subjects'],
): Interval[] {
  return [...serverGaps, ...seams, ...subjects.flatMap(({ gaps }) => gaps)];
}

function coversStep(
  report: CoverageReport,
  selectors: readonly (readonly Matcher[])[],
  window: { readonly fromMs: number; readonly toMs: number },
): boolean {
  const subjects = report.subjects.filter(({ subject }) => mayMatchAny(subject, selectors));
  const holes = holesOf(report, subjects);
  return (
    report.sinceMs <= window.fromMs && !overlaps(intervalSet(holes), window.fromMs, window.toMs + 1)
  );
}

/** Per step in ms, all series with their values as one text. */
async function pointsOf(
  engine: Engine,
  dump: Dump,
  query: string,
  times: { startMs: number; endMs: number; stepMs: number },
): Promise<Map<number, string>> {
  const points = new Map<number, string[]>();
  const stepMs = Math.max(1, times.stepMs);
  const { result } = await engine.range({ query, queryable: dump, ...times, stepMs });
  for (const { labels, count, timestampsMs, values } of result.series) {
    for (let i = 0; i < count; i++) {
      add(points, timestampsMs[i] ?? 0, labels.toObject(), values[i] ?? 0);
    }
  }
  return joined(points);
}

function pointsOfAnswer({ series }: Asked): Map<number, string> {
  const points = new Map<number, string[]>();
  for (const { metric, value, values } of series) {
    for (const [seconds, text] of values ?? (value === undefined ? [] : [value])) {
      add(points, Math.round(seconds * 1_000), metric, Number(text));
    }
  }
  return joined(points);
}

function add(
  points: Map<number, string[]>,
  at: number,
  metric: Record<string, string>,
  value: number,
): void {
  const pairs = Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1));
  const list = points.get(at) ?? [];
  list.push(`${JSON.stringify(pairs)} ${value}`);
  points.set(at, list);
}

function joined(points: Map<number, string[]>): Map<number, string> {
  return new Map([...points].map(([at, list]) => [at, list.sort().join(' ')]));
}
