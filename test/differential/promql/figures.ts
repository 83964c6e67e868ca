import type { Times } from './times.ts';

/** What `stats=all` tells of samples; 2.42 does not tell what was read. */
export type SampleFigures = {
  readonly totalQueryableSamples: number;
  readonly totalQueryableSamplesPerStep: readonly (readonly [number, number])[];
  readonly samplesRead?: number;
  readonly samplesReadPerStep?: readonly (readonly [number, number])[];
  readonly peakSamples: number;
};

/** Null where the query is refused for the samples that it holds; undefined where it fails in another way. */
export async function askFigures(
  base: string,
  query: string,
  times: Times,
): Promise<SampleFigures | null | undefined> {
  const seconds = (ms: number): string => String(ms / 1_000);
  const when: Record<string, string> =
    times.kind === 'instant'
      ? { time: seconds(times.timeMs) }
      : { start: seconds(times.startMs), end: seconds(times.endMs), step: seconds(times.stepMs) };
  const answer = await fetch(
    `${base}/api/v1/${times.kind === 'instant' ? 'query' : 'query_range'}`,
    { method: 'POST', body: new URLSearchParams({ query, stats: 'all', ...when }) },
  );
  const { error, data } = (await answer.json()) as {
    readonly error?: string;
    readonly data?: { readonly stats: { readonly samples: SampleFigures } };
  };
  if (data !== undefined) return data.stats.samples;
  return error?.includes('too many samples') ? null : undefined;
}

/** In which figures two answers differ. */
export function differingFigures(
  ours: SampleFigures,
  theirs: SampleFigures,
): readonly (keyof SampleFigures)[] {
  const told = Object.keys(theirs) as (keyof SampleFigures)[];
  return told.filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]));
}

/** A reason for which figures differ. */
type FigureDeviation = {
  readonly why: string;
  excuses(query: string, differing: readonly (keyof SampleFigures)[]): boolean;
};

/** Metrics of the data that have native histograms. */
const NATIVE =
  /size_bytes|wait_seconds|custom_seconds|queue_length|mixed_values|latency_seconds\b|\{__name__/;
const AGGREGATION =
  /\b(sum|avg|min|max|count|group|stddev|stdvar|quantile|topk|bottomk|limitk|limit_ratio|count_values)\b/;

/** In which 3.x and we differ. */
const YOUNGER: readonly FigureDeviation[] = [
  {
    why: 'a chunk of Prometheus that is written anew for a histogram of more buckets gives the earlier ones those buckets too, and arithmetic leaves other empty ones',
    excuses: (query) => NATIVE.test(query),
  },
  {
    why: 'the series that info() joins are not counted',
    excuses: (query) => /\binfo\(/.test(query),
  },
  {
    why: 'start_timestamp() without its feature gives nothing, so that nothing is counted',
    excuses: (query) => query.includes('start_timestamp('),
  },
  {
    why: 'the windows of a smoothed selector, of which Prometheus keeps one from series to series, are not counted',
    excuses: (query) => query.includes('smoothed'),
  },
  {
    why: 'the results that a subquery has of step-by-step operators come in the order of a Go map, so the series that is held last is left to chance',
    excuses: (query, differing) =>
      /\[[^\]]*:[^\]]*\]/.test(query) && differing.every((name) => name === 'peakSamples'),
  },
];

/** In which 2.42 differs besides. */
const OLDER: readonly FigureDeviation[] = [
  ...YOUNGER,
  {
    why: '2.42 evaluates aggregations and changes of labels step by step, and so counts what they take twice',
    excuses: (query, differing) =>
      (AGGREGATION.test(query) || /label_(replace|join)/.test(query)) &&
      differing.every((name) => name === 'peakSamples'),
  },
];

/** Why these figures may differ; null where nothing is known of it. */
export function figureDeviation(
  dialect: '2.42' | '3.x',
  query: string,
  differing: readonly (keyof SampleFigures)[],
): string | null {
  const rows = dialect === '3.x' ? YOUNGER : OLDER;
  return rows.find((row) => row.excuses(query, differing))?.why ?? null;
}
