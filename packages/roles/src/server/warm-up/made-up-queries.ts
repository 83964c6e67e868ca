/** One of each kind, the smallest first, that dashboards and rules are made of; what they ask for is in the made-up data. */
const MADE_UP_QUERIES: readonly string[] = [
  'load1{instance="host-0:9100"}',
  'cpu_seconds_total',
  'cpu_seconds_total{mode=~"user|sys.*",instance=~"host-[01].*"}',
  'requests_total{handler!~"/m.*",code!="500"}',
  'count({job="made-up"})',
  'sum by (instance) (rate(cpu_seconds_total{mode!="idle"}[5m]))',
  'sum without (cpu) (irate(cpu_seconds_total[2m]))',
  'topk(3, rate(requests_total[5m]))',
  'histogram_quantile(0.9, sum by (le, handler) (rate(duration_seconds_bucket[5m])))',
  'absent(no_such_name{job="made-up"})',
  'quantile_over_time(0.9, load1[30m])',
  'max_over_time(rate(requests_total{handler="/"}[5m])[20m:1m])',
  'avg_over_time(load5[10m])',
  'predict_linear(load1[30m], 3600)',
  'requests_total / on (instance) group_left () load1',
  '1 - load1 / load5',
  'label_replace(load5, "host", "$1", "instance", "(host-[0-9]+):.*")',
  'load1 > 0.5 unless on (instance) load5 > 1',
  'sum by (instance) (changes(load1[30m]))',
  'count_values("v", load5)',
  'sum(increase(requests_total[10m] offset 30m))',
  'quantile by (mode) (0.9, rate(cpu_seconds_total[5m]))',
];

const LABEL_TARGETS: readonly string[] = [
  '/api/v1/labels?',
  '/api/v1/label/instance/values?',
  '/api/v1/series?match[]=load1&',
];

const RANGE_S = 3_600;
const STEP_S = 60;
/** Instants that are asked for in turn lie so far apart. */
const SHIFT_S = 15;
const SHIFTS = 8;
/**
 * What all queries have in common runs a few times a query, and takes hundreds of them to be optimised; what is a kind's own runs for
 * each series and step. So each pass asks the smallest so many times, each fourth also one of each kind, each eighth over a range too.
 */
const SMALL_A_PASS = 20;
const ALL_EACH = 4;
const RANGES_EACH = 8;

/** Paths of pass number `pass` over all that is asked, of data that end at `endMs`. */
export function* madeUpTargets(endMs: number, pass: number): Iterable<string> {
  const end = Math.floor(endMs / 1_000) - (pass % SHIFTS) * SHIFT_S;
  const range = `start=${end - RANGE_S}&end=${end}`;
  const instant = (query: string): string =>
    `/api/v1/query?query=${encodeURIComponent(query)}&time=${end}`;
  for (let i = 0; i < SMALL_A_PASS; i++) yield instant(MADE_UP_QUERIES[0]!);
  for (const target of LABEL_TARGETS) yield target + range;
  if (pass % ALL_EACH !== 0) return;
  for (const query of MADE_UP_QUERIES) {
    yield instant(query);
    if (pass % RANGES_EACH !== 0) continue;
    yield `/api/v1/query_range?query=${encodeURIComponent(query)}&${range}&step=${STEP_S}`;
  }
}
