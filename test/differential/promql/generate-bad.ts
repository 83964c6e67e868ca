import type { Dice } from './dice.ts';
import type { Times } from './times.ts';

/** Texts that no release takes, and queries that no release can answer. */
const BAD_QUERIES = [
  '',
  'sum(',
  'sum(memory_bytes))',
  'memory_bytes{job="api"',
  'memory_bytes{job=api}',
  'memory_bytes{job~"api"}',
  '{job=""}',
  '{}',
  '1 +',
  '* 2',
  'no_such_function(memory_bytes)',
  'rate(requests_total)',
  'rate(requests_total[5m], 1)',
  'rate(requests_total[0s])',
  'rate(requests_total[5])x',
  'requests_total[5m] + 1',
  'requests_total[5m][5m]',
  'sum by (job) requests_total',
  'sum(requests_total) by job',
  'topk(requests_total)',
  'topk("a", requests_total)',
  'count_values(1, requests_total)',
  'memory_bytes offset',
  'memory_bytes offset 5m offset 5m',
  'memory_bytes @ x',
  'memory_bytes @ start() @ end()',
  '"text" + 1',
  '1 == 2',
  '1 and 2',
  'memory_bytes and 1',
  'memory_bytes + bool 1',
  'memory_bytes + on(job) group_left(job) build_info',
  'memory_bytes and on(job) group_left() build_info',
  '1 + on(job) 2',
  'label_replace(memory_bytes, "a", "$1", "b", "(")',
  'memory_bytes{job=~"("}',
  'label_join(memory_bytes)',
  'round(memory_bytes, 1, 2)',
  'scalar(1)',
  'vector(memory_bytes)',
  'memory_bytes[5m:]',
  'requests_total[5m]',
  'sum(memory_bytes[5m])',
  '-"text"',
  'memory_bytes{__name__="requests_total"}',
  'memory_bytes $ 2',
  "'open",
  'memory_bytes + on(job) requests_total',
  'requests_total / on(job, instance) build_info',
  'build_info * on(job, instance) requests_total',
  'build_info * on(job) group_left memory_bytes',
  'requests_total * on(instance) group_right build_info',
  'label_replace(requests_total, "code", "x", "", "")',
  'label_join(requests_total, "code", "")',
  'abs({__name__=~"memory_bytes|build_info", version=""} or label_replace(temperature_celsius, "version", "", "", ""))',
  'rate({__name__=~"latency_seconds_(count|sum)"}[5m])',
  'topk(1e300, memory_bytes)',
  'quantile("x", memory_bytes)',
  'topk(NaN, memory_bytes)',
  'bottomk(-1e300, memory_bytes)',
  'double_exponential_smoothing(memory_bytes[5m], 2, 0.5)',
  'double_exponential_smoothing(memory_bytes[5m], 0.5, NaN)',
  'memory_bytes{job=~"((a{100}){100}){100}"}',
  'label_replace(memory_bytes, "x", "$1", "job", "((a{1000}){1000}){1000}")',
  'memory_bytes @ 1e20',
  'memory_bytes @ NaN',
  'rate(requests_total[1000y])',
  'rate(requests_total[-5m])',
  'memory_bytes offset 1000000y',
] as const;

/** A character of a good query lost, doubled or replaced. */
export function mutated(dice: Dice, query: string): string {
  const at = dice.below(query.length);
  const head = query.slice(0, at);
  const tail = query.slice(at + 1);
  return dice.one([
    head + tail,
    `${head}${query[at]}${query[at]}${tail}`,
    `${head}${dice.one(['(', ')', '[', '{', '"', ',', '+', '=', 'x', '0', '$', '@'])}${tail}`,
  ]);
}

/** Times that no release takes, whatever the query: too many steps, none, steps backwards. */
export function badTimes(dice: Dice, startMs: number): Times {
  return dice.one<Times>([
    { kind: 'range', startMs, endMs: startMs + 1e12, stepMs: 1_000 },
    { kind: 'range', startMs, endMs: startMs + 11_001_000, stepMs: 1_000 },
    { kind: 'range', startMs, endMs: startMs + 60_000, stepMs: 0 },
    { kind: 'range', startMs, endMs: startMs + 60_000, stepMs: -15_000 },
    { kind: 'range', startMs, endMs: startMs - 1, stepMs: 15_000 },
    { kind: 'range', startMs, endMs: startMs + 60_000, stepMs: Number.NaN },
    { kind: 'range', startMs, endMs: Number.POSITIVE_INFINITY, stepMs: 15_000 },
    { kind: 'instant', timeMs: 1e300 },
  ]);
}

export function badQuery(dice: Dice): string {
  return dice.one(BAD_QUERIES);
}

const WORDS = [
  ...['memory_bytes', 'requests_total', 'sum', 'topk', 'rate', 'by', 'without', 'on', 'ignoring'],
  ...[
    'group_left',
    'bool',
    'offset',
    '@',
    'start',
    'end()',
    'step()',
    'min_of',
    'anchored',
    'smoothed',
  ],
  ...[
    'fill',
    'fill_left',
    'and',
    'or',
    'unless',
    'atan2',
    '+',
    '-',
    '*',
    '/',
    '^',
    '%',
    '==',
    '!=',
  ],
  ...[
    '</',
    '>/',
    '=~',
    '!~',
    '=',
    '(',
    ')',
    '(',
    ')',
    '{',
    '}',
    '[',
    ']',
    '[5m]',
    '[5m:]',
    ':',
    ',',
  ],
  ...['"text"', "'t'", '`r`', '5m', '1', '0.5', '1e3', '0x1F', 'NaN', 'Inf', 'le', 'job="api"'],
  ...['{job="api"}', '(memory_bytes)', '1h30m', 'é', '#', '"\\q"', '.', '_', 'info', 'limitk', '$'],
];

/** Words of the language in no order. */
export function words(dice: Dice): string {
  return Array.from({ length: 1 + dice.below(9) }, () => dice.one(WORDS)).join(
    dice.one([' ', ' ', '']),
  );
}
