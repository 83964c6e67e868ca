import { type Answer, ask, askExpression, type ExpressionAnswer } from './ask.ts';
import { compare, compareExpressions, type Difference, orderOf } from './compare.ts';
import { type DataSeries, seededData } from './data.ts';
import { youngerData } from './data-younger.ts';
import { type Deviation, deviationsFrom, type Parting } from './deviations.ts';
import { FEATURES, featureText, RENAMED } from './features.ts';
import { type Case, caseOf, malformedOf } from './generate.ts';
import type { Peer } from './peer.ts';
import { type Pair, startPair } from './servers.ts';

export type Settings = {
  readonly seed: number;
  readonly queries: number;
  readonly peer: Peer;
  /** What is asked; by default one server of ours beside the peer. */
  readonly start?: (
    data: readonly DataSeries[],
    peer: Peer,
    features: readonly string[],
  ) => Promise<Pair>;
  /** Only the query of this number. */
  readonly only?: number | undefined;
};

/** An answer of ours that is not theirs and that no deviation explains. */
export type Finding = {
  readonly index: number;
  readonly query: string;
  /** Null where only the expression was asked about. */
  readonly times: Case['times'] | null;
  readonly difference: Difference;
};

export type Report = {
  readonly peer: Peer;
  readonly queries: number;
  /** Queries that both answered with at least one sample. */
  readonly withSamples: number;
  /** Queries about which theirs remarked something, and those that theirs refused. */
  readonly remarked: number;
  readonly refused: number;
  /** Malformed texts whose errors were compared, beside the queries. */
  readonly malformed: number;
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
  const { peer, queries } = settings;
  const tally = new Tally(settings);
  // The last fifth is asked of servers that drop names late, which 2.42 does not know.
  const change = peer.dialect === '3.x' ? Math.floor(0.8 * queries) : queries;
  await tally.askPart({ from: 0, to: change }, []);
  await tally.askPart({ from: change, to: queries }, ['promql-delayed-name-removal']);
  return tally.report();
}

/** How often Prometheus may give our answer after all, where series are left to chance. */
const ASKED_AGAIN = 60;

type Part = { readonly from: number; readonly to: number };

class Tally {
  readonly #settings: Settings;
  readonly #byFeature: Map<string, number>;
  readonly #excused: Map<Deviation, number>;
  readonly #findings: Finding[] = [];
  #withSamples = 0;
  #remarked = 0;
  #refused = 0;
  #malformed = 0;

  constructor(settings: Settings) {
    const { dialect } = settings.peer;
    this.#settings = settings;
    this.#byFeature = new Map(FEATURES[dialect].map((item) => [featureText(item), 0]));
    this.#excused = new Map(deviationsFrom(dialect).map((row) => [row, 0]));
  }

  async askPart(part: Part, features: readonly string[]): Promise<void> {
    const { seed, peer, only, start = startPair } = this.#settings;
    const { from, to } =
      only === undefined ? part : { from: only, to: Math.min(only + 1, part.to) };
    if (from < part.from || from >= to) return;
    const isYounger = peer.dialect === '3.x';
    const data = [...seededData(seed), ...(isYounger ? youngerData(seed) : [])];
    const pair = await start(data, peer, features);
    try {
      await concurrently({ from, to }, (index) => this.#ask(pair, index));
      if (isYounger && only === undefined)
        await concurrently({ from, to }, (index) => this.#askMalformed(pair, index));
    } finally {
      await pair.close();
    }
  }

  report(): Report {
    return {
      peer: this.#settings.peer,
      queries: this.#settings.only === undefined ? this.#settings.queries : 1,
      withSamples: this.#withSamples,
      remarked: this.#remarked,
      refused: this.#refused,
      malformed: this.#malformed,
      byFeature: this.#byFeature,
      excused: this.#excused,
      findings: this.#findings,
    };
  }

  async #ask(pair: Pair, index: number): Promise<void> {
    const { seed, peer } = this.#settings;
    const asked = caseOf(seed, index, peer.dialect);
    for (const feature of asked.features)
      this.#byFeature.set(feature, (this.#byFeature.get(feature) ?? 0) + 1);
    const how = {
      remarks: peer.dialect === '3.x' ? null : asked.remarks,
      order: asked.times.kind === 'instant' ? orderOf(asked.expr) : null,
    };
    const askThem = (): Promise<Answer> =>
      ask(pair.theirs, peer.dialect === '3.x' ? asked.query : inOldWords(asked.query), asked.times);
    const [ours, theirs] = await Promise.all([ask(pair.ours, asked.query, asked.times), askThem()]);
    const answered = compare(ours, theirs, how);
    let isChance = false;
    for (let again = 0; answered?.kind === 'series' && !isChance && again < ASKED_AGAIN; again++)
      isChance = compare(ours, await askThem(), how) === null;
    const difference =
      answered ??
      (peer.dialect === '3.x' ? await differenceOfExpressions(pair, asked.query) : null);
    if (ours.series.length > 0 && theirs.series.length > 0) this.#withSamples++;
    if (theirs.warnings.length + theirs.infos.length > 0) this.#remarked++;
    if (theirs.errorType !== '') this.#refused++;
    if (difference !== null) this.#judge(index, asked, { ours, theirs, difference, isChance });
  }

  #judge(
    index: number,
    asked: Pick<Case, 'query' | 'expr' | 'features'> & { readonly times: Case['times'] | null },
    parted: Pick<Parting, 'ours' | 'theirs' | 'difference' | 'isChance'>,
  ): void {
    const parting = { ...asked, isRange: asked.times?.kind === 'range', ...parted };
    const row = [...this.#excused.keys()].find((item) => item.excuses(parting));
    if (row !== undefined) this.#excused.set(row, (this.#excused.get(row) ?? 0) + 1);
    else {
      const { query, times } = asked;
      this.#findings.push({ index, query, times, difference: parted.difference });
    }
  }

  async #askMalformed(pair: Pair, index: number): Promise<void> {
    const query = malformedOf(this.#settings.seed, index, this.#settings.peer.dialect);
    this.#malformed++;
    const difference = await differenceOfExpressions(pair, query);
    if (difference === null) return;
    const asked = { query, expr: null, features: new Set<string>(), times: null };
    const parted = { ours: NO_ANSWER, theirs: NO_ANSWER, difference, isChance: false };
    this.#judge(index, asked, parted);
  }
}

/** Of texts of which the expression alone was asked about. */
const NO_ANSWER: Answer = {
  status: 0,
  errorType: '',
  error: '',
  resultType: '',
  series: [],
  warnings: [],
  infos: [],
};

async function concurrently(part: Part, each: (index: number) => Promise<void>): Promise<void> {
  let next = part.from;
  const worker = async (): Promise<void> => {
    while (next < part.to) await each(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** Tree and formatted text of a query, or why it has none. */
async function differenceOfExpressions(pair: Pair, query: string): Promise<Difference | null> {
  const both = (page: 'parse_query' | 'format_query'): Promise<ExpressionAnswer[]> =>
    Promise.all([askExpression(pair.ours, page, query), askExpression(pair.theirs, page, query)]);
  for (const page of ['parse_query', 'format_query'] as const) {
    const [ours, theirs] = await both(page);
    const difference = compareExpressions(ours!, theirs!);
    if (difference !== null) return { ...difference, text: `${page}: ${difference.text}` };
  }
  return null;
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
  const when = times === null ? 'as a text' : `at ${JSON.stringify(times)}`;
  return `query ${index}: ${query} ${when}\n  ${difference.kind}: ${difference.text}`;
}

/** The figures of a run, a line each. */
export function summaryOf(report: Report): string[] {
  const { peer, queries, withSamples, byFeature, excused, findings } = report;
  const counts = [...byFeature].sort(([, a], [, b]) => a - b);
  const [rarest = ['none', 0]] = counts;
  return [
    `${peer.binary} (${peer.version === '' ? 'no version' : peer.version}), asked as ${peer.dialect}`,
    `${queries} queries, ${withSamples} with samples (${((100 * withSamples) / queries).toFixed(1)} %)`,
    `${report.remarked} with warnings or infos of theirs, ${report.refused} refused, ${report.malformed} malformed texts besides`,
    `${byFeature.size} features, the rarest ${rarest[0]}: ${rarest[1]} queries`,
    ...[...excused].map(([{ name, why }, count]) => `excused ${count}: ${name} (${why})`),
    `${findings.length} differences without an explanation`,
  ];
}
