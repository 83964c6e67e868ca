import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS } from '../../peers/real-prometheus.ts';
import { START_MS, seededData } from './data.ts';
import { peerOf } from './peer.ts';
import { type Pair, startPair } from './servers.ts';

/** Another Prometheus than the installed one. */
const PEER = process.env.POLLUX_PROMETHEUS ?? 'prometheus';
const AT_S = START_MS / 1_000 + 3_600;

type Case = { readonly path: string; readonly [parameter: string]: string };

const instant = (query: string, more: Record<string, string> = {}): Case => ({
  path: 'query',
  query,
  time: String(AT_S),
  ...more,
});
const range = (more: Record<string, string>, query = 'requests_total'): Case => ({
  path: 'query_range',
  query,
  start: String(AT_S - 600),
  end: String(AT_S),
  step: '15',
  ...more,
});

/**
 * Answered or refused alike by 2.42 and 3.x. Not asked: subqueries of 10^13 steps, which Prometheus does not survive, and regular expressions of
 * more than 64 KiB, which are refused here.
 */
const CASES: readonly (readonly [string, Case])[] = [
  ['no query', { path: 'query' }],
  ['an empty query', instant('')],
  ['a query that does not end', instant('sum(rate(requests_total[5m])')],
  ['a function that does not exist', instant('no_such_function(requests_total)')],
  ['10,000 levels of parentheses', instant(`${'('.repeat(10_000)}`)],
  ['a time that is no time', instant('requests_total', { time: 'yesterday' })],
  ['a time that is NaN', instant('requests_total', { time: 'NaN' })],
  ['a time-out that is none', instant('requests_total', { timeout: 'soon' })],
  ['a time-out before the beginning', instant('requests_total', { timeout: '-1s' })],
  ['10^9 steps', range({ start: '0', end: '1000000000', step: '1' })],
  ['10^13 steps', range({ start: '0', end: '10000000000', step: '0.001' })],
  ['one step too many', range({ start: '0', end: '11001', step: '1' })],
  ['as many steps as may be', range({ start: '0', end: '11000', step: '1' })],
  ['a step of zero', range({ step: '0' })],
  ['a step backwards', range({ step: '-15' })],
  ['a step of NaN', range({ step: 'NaN' })],
  ['an endless step', range({ step: 'Inf' })],
  ['a step that is none', range({ step: 'often' })],
  ['an end before the start', range({ end: String(AT_S - 1_200) })],
  ['a start of NaN', range({ start: 'NaN' })],
  ['no start', { path: 'query_range', query: 'up', end: '1', step: '1' }],
  ['a range query of text', range({}, '"text"')],
  ['a range query of windows', range({}, 'requests_total[5m]')],
  ['a regular expression that does not end', instant('requests_total{job=~"("}')],
  [
    'a regular expression of a billion states',
    instant('requests_total{job=~"((a{1000}){1000}){1000}"}'),
  ],
  ['a large regular expression', instant(`requests_total{job=~"${'a|'.repeat(30_000)}b"}`)],
  ['a regular expression that RE2 has not', instant('requests_total{job=~"(a)\\\\1"}')],
  ['a selector of everything', instant('{job=~".*"}')],
  ['many to many', instant('requests_total * on () memory_bytes')],
  ['as many as NaN', instant('topk(NaN, requests_total)')],
  ['fewer than none', instant('topk(-1, requests_total)')],
  ['a bad replacement', instant('label_replace(requests_total, "a-b", "$1", "job", "(")')],
  ['a label that is none', instant('label_replace(requests_total, "", "$1", "job", "(.*)")')],
  ['an offset beyond all time', instant('requests_total offset 1000000y')],
  ['a window beyond all time', instant('rate(requests_total[1000000y])')],
  ['a window of nothing', instant('rate(requests_total[0s])')],
  ['series of nothing', { path: 'series' }],
  ['series of everything', { path: 'series', 'match[]': '{}' }],
  ['series that do not parse', { path: 'series', 'match[]': '{job=' }],
  ['series by a bad regular expression', { path: 'series', 'match[]': '{job=~"("}' }],
  ['series from NaN on', { path: 'series', 'match[]': 'up', start: 'NaN' }],
  ['series that end before they start', { path: 'series', 'match[]': 'up', start: '10', end: '5' }],
  ['labels from NaN on', { path: 'labels', start: 'NaN' }],
  ['labels by what does not parse', { path: 'labels', 'match[]': '{job=' }],
  ['values by what does not parse', { path: 'label/job/values', 'match[]': '{job=' }],
];

/** What only 3.x knows. */
const YOUNGER_CASES: readonly (readonly [string, Case])[] = [
  ['a limit of less than nothing', instant('requests_total', { limit: '-1' })],
  ['a limit of NaN', instant('requests_total', { limit: 'NaN' })],
  ['a limit of series of less than nothing', { path: 'series', 'match[]': 'up', limit: '-1' }],
  ['a limit of labels of NaN', { path: 'labels', limit: 'NaN' }],
  ['a lookback of NaN', instant('requests_total', { lookback_delta: 'NaN' })],
  ['a lookback of less than nothing', instant('requests_total', { lookback_delta: '-5m' })],
  ['a lookback of nothing', instant('requests_total', { lookback_delta: '0' })],
  [
    'a smoothing factor out of range',
    instant('double_exponential_smoothing(requests_total[5m], 2, NaN)'),
  ],
];

/** Prometheus has no limit to nesting and answers these. */
const DEEP = [
  `${'('.repeat(10_000)}requests_total${')'.repeat(10_000)}`,
  `${'-'.repeat(10_000)}requests_total`,
];

describe.skipIf(!hasPrometheus)(`bad input, beside Prometheus${NO_PROMETHEUS}`, () => {
  const peer = hasPrometheus ? peerOf(PEER) : null;
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair(seededData(42), peer!, []);
  });
  afterAll(() => pair.close());

  async function asked(base: string, { path, ...parameters }: Case) {
    const url = `${base}/api/v1/${path}`;
    const body = new URLSearchParams(parameters);
    const isForm = !path.startsWith('label/');
    const answer = isForm
      ? await fetch(url, { method: 'POST', body })
      : await fetch(`${url}?${body}`);
    const text = await answer.text();
    const { status, errorType } = JSON.parse(text) as { status: string; errorType?: string };
    return { code: answer.status, status, errorType };
  }

  it.each(peer?.dialect === '3.x' ? [...CASES, ...YOUNGER_CASES] : CASES)(
    '%s has the same status and type of error',
    async (_, asks) => {
      expect(await asked(pair.ours, asks)).toEqual(await asked(pair.theirs, asks));
    },
    20_000,
  );

  it('deep nesting is refused, and other queries go on', async () => {
    for (const query of DEEP) {
      const refused = { code: 400, status: 'error', errorType: 'bad_data' };
      expect(await asked(pair.ours, instant(query))).toEqual(refused);
    }
    const good = { code: 200, status: 'success', errorType: undefined };
    expect(await asked(pair.ours, instant('requests_total'))).toEqual(good);
  });
});
