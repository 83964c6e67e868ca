import type { Remarks } from './compare.ts';
import type { Dice } from './dice.ts';

type Remarked = { readonly query: string; readonly remarks: Remarks };

const warns = (query: string, text: string): Remarked => ({
  query,
  remarks: { warnings: [`PromQL warning: ${text}`], infos: [] },
});
const informs = (query: string, text: string): Remarked => ({
  query,
  remarks: { warnings: [], infos: [`PromQL info: ${text}`] },
});

const NO_COUNTER =
  'metric might not be a counter, name does not end in _total/_sum/_count/_bucket:';
const OUT_OF_RANGE = 'quantile value should be between 0 and 1,';
const NO_BUCKET = 'bucket label "le" is missing or has a malformed value of ""';

/** Queries with the remark that 3.x makes about each; 2.42 answers them alike and says nothing. */
const REMARKED: readonly Remarked[] = [
  informs('rate(build_info[10m])', `${NO_COUNTER} "build_info" (1:6)`),
  informs('sum(increase(build_info[20m:1m]))', `${NO_COUNTER} "build_info" (1:1)`),
  warns('quantile(1.5, memory_bytes)', `${OUT_OF_RANGE} got 1.5 (1:10)`),
  warns('quantile by (job) (-0.25, requests_total)', `${OUT_OF_RANGE} got -0.25 (1:20)`),
  warns('quantile_over_time(2, memory_bytes[10m])', `${OUT_OF_RANGE} got 2 (1:20)`),
  warns('histogram_quantile(-1, latency_seconds_bucket)', `${OUT_OF_RANGE} got -1 (1:20)`),
  warns('histogram_quantile(0.5, memory_bytes)', `${NO_BUCKET} (1:25)`),
];

export function remarkedQuery(dice: Dice): Remarked {
  return dice.one(REMARKED);
}

const NO_COUNTERS = [
  ...['build_info', 'memory_bytes', 'temperature_celsius', 'odd_values', 'aligned_bytes'],
  ...['mixed_values', 'size_bytes', 'wait_seconds', 'custom_seconds', 'latency_seconds'],
  ...['target_info', 'sum', 'queue_length'],
];

/** About as many remarks as an answer may have, of each kind; some of them more than once. */
export function muchRemarked(dice: Dice): string {
  const some = (one: (index: number) => string): string =>
    Array.from({ length: 8 + dice.below(6) }, (_, i) => one(i)).join(' or ');
  const infos = some((i) => `rate(${NO_COUNTERS[i]}[20m])`);
  const warnings = some((i) => `quantile(${dice.one([1.5, i + 2])}, memory_bytes)`);
  return dice.one([infos, warnings, `${infos} or ${warnings}`]);
}
