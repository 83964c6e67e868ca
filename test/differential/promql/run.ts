import { type Answer, ask } from './ask.ts';
import { compare, type Difference } from './compare.ts';
import { seededData } from './data.ts';
import { DEVIATIONS, type Deviation } from './deviations.ts';
import { FEATURES, featureText, RENAMED } from './features.ts';
import { type Case, caseOf } from './generate.ts';
import { type Pair, startPair } from './servers.ts';

export type Settings = {
  readonly seed: number;
  readonly queries: number;
  /** Only the query of this number. */
  readonly only?: number | undefined;
};

/** An answer of ours that is not theirs and that no deviation explains. */
export type Finding = {
  readonly index: number;
  readonly query: string;
  readonly times: Case['times'];
  readonly difference: Difference;
};

export type Report = {
  readonly queries: number;
  /** Queries that both answered with at least one sample. */
  readonly withSamples: number;
  readonly byFeature: ReadonlyMap<string, number>;
  readonly excused: ReadonlyMap<Deviation, number>;
  readonly findings: readonly Finding[];
};

/** Queries asked at the same time; both servers have as many cores as we. */
const CONCURRENCY = 4;
/** Least queries of a whole run that have a feature. */
const MIN_PER_FEATURE = 30;
const WHOLE_RUN = 5_000;

export async function run(settings: Settings): Promise<Report> {
  const pair = await startPair(seededData(settings.seed));
  try {
    return await askAll(pair, settings);
  } finally {
    await pair.close();
  }
}

async function askAll(pair: Pair, { seed, queries, only }: Settings): Promise<Report> {
  const byFeature = new Map<string, number>(FEATURES.map((item) => [featureText(item), 0]));
  const excused = new Map<Deviation, number>(DEVIATIONS.map((row) => [row, 0]));
  const findings: Finding[] = [];
  let withSamples = 0;
  let next = only ?? 0;
  const end = only === undefined ? queries : only + 1;
  const worker = async (): Promise<void> => {
    while (next < end) {
      const index = next++;
      const asked = caseOf(seed, index);
      for (const feature of asked.features)
        byFeature.set(feature, (byFeature.get(feature) ?? 0) + 1);
      const { ours, theirs, difference } = await askBoth(pair, asked);
      if (ours.series.length > 0 && theirs.series.length > 0) withSamples++;
      if (difference === null) continue;
      const row = DEVIATIONS.find((item) =>
        item.excuses({ ...asked, isRange: asked.times.kind === 'range', ours, theirs, difference }),
      );
      if (row !== undefined) excused.set(row, (excused.get(row) ?? 0) + 1);
      else findings.push({ index, query: asked.query, times: asked.times, difference });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return { queries: only === undefined ? queries : 1, withSamples, byFeature, excused, findings };
}

async function askBoth(
  pair: Pair,
  { query, expr, times, remarks }: Case,
): Promise<{ ours: Answer; theirs: Answer; difference: Difference | null }> {
  const [ours, theirs] = await Promise.all([
    ask(pair.ours, query, times),
    ask(pair.theirs, inOldWords(query), times),
  ]);
  const isOrdered =
    times.kind === 'instant' && expr?.kind === 'call' && /^sort/.test(expr.signature.name);
  return { ours, theirs, difference: compare(ours, theirs, { remarks, isOrdered }) };
}

function inOldWords(query: string): string {
  let text = query;
  for (const [name, old] of RENAMED) text = text.replaceAll(name, old);
  return text;
}

/** Sentences on what the run promises and does not keep; none when all is well. */
export function failuresOf(report: Report): string[] {
  const { queries, withSamples, byFeature, excused, findings } = report;
  const failures = findings.map(describe);
  if (withSamples < 0.8 * queries)
    failures.push(`only ${withSamples} of ${queries} queries gave samples; 80 % must`);
  const least = Math.floor((MIN_PER_FEATURE * queries) / WHOLE_RUN);
  for (const [feature, count] of byFeature) {
    if (count < least) failures.push(`${feature} was asked about ${count} times, not ${least}`);
  }
  const excuses = [...excused.values()].reduce((sum, count) => sum + count, 0);
  if (excuses > Math.ceil(0.02 * queries))
    failures.push(`${excuses} of ${queries} answers are excused; at most 2 % may be`);
  return failures;
}

function describe({ index, query, times, difference }: Finding): string {
  return `query ${index}: ${query} at ${JSON.stringify(times)}\n  ${difference.kind}: ${difference.text}`;
}

/** The figures of a run, a line each. */
export function summaryOf({
  queries,
  withSamples,
  byFeature,
  excused,
  findings,
}: Report): string[] {
  const counts = [...byFeature].sort(([, a], [, b]) => a - b);
  const [rarest = ['none', 0]] = counts;
  return [
    `${queries} queries, ${withSamples} with samples (${((100 * withSamples) / queries).toFixed(1)} %)`,
    `${byFeature.size} features, the rarest ${rarest[0]}: ${rarest[1]} queries`,
    ...[...excused].map(([{ name, why }, count]) => `excused ${count}: ${name} (${why})`),
    `${findings.length} differences without an explanation`,
  ];
}
