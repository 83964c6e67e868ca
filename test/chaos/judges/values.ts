import { HOSTS, type HostName } from '@pollux/roles/up';
import type { Finding } from '../finding.ts';
import type { Answer, Point, ValueQuestion } from '../record.ts';
import { COMMIT_MS, LOOKBACK_MS, NEIGHBOURS_MS, SCRAPE_TIMEOUT_MS } from '../times.ts';
import type { Truth } from '../truth.ts';

/** Arithmetic of floating point in another order. */
const EXACT = 1e-6;

/** No value is wrong: not from nowhere, not backwards, no rate but 1 where a server that could be asked has the whole window. */
export function judgeValues(truth: Truth): Finding[] {
  return truth.record.answers.flatMap((answer): Finding[] => {
    if (answer.error !== null) return [];
    const wrong = wrongOf(truth, answer);
    const [first] = wrong;
    if (first === undefined) return [];
    return [
      {
        kind: 'wrong',
        atMs: answer.askedMs,
        secondsMs: wrong.map(({ stepMs }) => stepMs),
        isAllowed: false,
        text: `${answer.question}: ${first.text}`,
      },
    ];
  });
}

/** The newest sample is not old where a server that could be asked had a newer one; in ranges, at each step. */
export function judgeFreshness(truth: Truth): Finding[] {
  return truth.record.answers.flatMap((answer): Finding[] => {
    const { what, error, askedMs, question } = answer;
    if (error !== null || what.kind !== 'time') return [];
    const hosts = truth.askable(answer);
    const isNewer = (host: HostName, [stepMs, value]: Point, sinceMs: number): boolean => {
      const newestMs = truth.newest(host, stepMs - what.offsetMs - COMMIT_MS) ?? 0;
      const isThere = truth.canAnswer(host, what, stepMs, sinceMs);
      return isThere && newestMs > value * 1_000 + NEIGHBOURS_MS;
    };
    const old = answer.points.filter((point) =>
      HOSTS.some((host) => isNewer(host, point, Number.NEGATIVE_INFINITY)),
    );
    const [first] = old;
    if (first === undefined) return [];
    const couldTell = old.some((point) => hosts.some((host) => isNewer(host, point, askedMs)));
    const [stepMs, value] = first;
    const ageMs = stepMs - what.offsetMs - value * 1_000;
    return [
      {
        kind: 'stale',
        atMs: askedMs,
        secondsMs: old.map(([at]) => at),
        isAllowed: !couldTell,
        text: `${question}: a sample ${Math.round(ageMs)} ms old at ${clock(stepMs)}`,
      },
    ];
  });
}

type Wrong = { readonly stepMs: number; readonly text: string };

function wrongOf(truth: Truth, answer: Answer): Wrong[] {
  const { what } = answer;
  if (what.kind === 'names') {
    const isSame = what.expected.join() === answer.names.join();
    return isSame || truth.askable(answer).length === 0
      ? []
      : [{ stepMs: answer.askedMs, text: `names ${answer.names.join(', ')}` }];
  }
  const hosts = truth.askable(answer);
  const wrong = answer.points.flatMap(([stepMs, value], index): Wrong[] => {
    const before = answer.points[index - 1]?.[1] ?? null;
    const mayBeShort = !hosts.some((host) => truth.canAnswer(host, what, stepMs, answer.askedMs));
    const fault = faultOf(truth, what, { stepMs, value, before, mayBeShort });
    return fault === null ? [] : [{ stepMs, text: `${fault} at ${clock(stepMs)}` }];
  });
  if (answer.seriesCount > 1)
    wrong.push({ stepMs: answer.askedMs, text: `${answer.seriesCount} series in place of one` });
  return wrong;
}

type Step = {
  readonly stepMs: number;
  readonly value: number;
  readonly before: number | null;
  /** No server that could be asked has the whole window, so less may be shown. */
  readonly mayBeShort: boolean;
};

function faultOf(truth: Truth, what: ValueQuestion, step: Step): string | null {
  const { stepMs, value, before, mayBeShort } = step;
  const atMs = stepMs - what.offsetMs;
  if (!Number.isFinite(value)) return `${value}`;
  switch (what.kind) {
    case 'time': {
      if (!truth.wasServed(value * 1_000)) return `${value}, which no target ever said`;
      if (value * 1_000 > atMs + SCRAPE_TIMEOUT_MS) return `${value}, which is yet to come`;
      if (value * 1_000 < atMs - LOOKBACK_MS) return `${value}, which is behind the lookback`;
      return before !== null && value < before ? `${value} behind ${before}` : null;
    }
    case 'slope': {
      const bound = truth.slopeBound(atMs - what.windowMs, atMs);
      if (value < 0) return `the rate ${value}`;
      if (value > 1 + bound) return `the rate ${value}, at most ${1 + bound}`;
      const least = truth.leastSlope(atMs - what.windowMs, atMs) - bound;
      return !mayBeShort && value < least ? `the rate ${value}, at least ${least}` : null;
    }
    case 'exact':
      return Math.abs(value - what.value) > EXACT ? `${value}, not ${what.value}` : null;
  }
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}
