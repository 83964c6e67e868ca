import type { Finding } from '../finding.ts';
import type { Answer, Point } from '../record.ts';
import { LOOKBACK_MS } from '../times.ts';
import type { Truth } from '../truth.ts';

/** A server that was away covers a whole window again by then. */
const COVERING_AGAIN_MS = LOOKBACK_MS + 5_000;

/** Gateways and the run itself look at what a server lacks once a second. */
const LEARNT_MS = 2_500;

/**
 * A question asked twice with the same absolute times gets the same answer, bit for bit. Around a fault, and when a server
 * has filled its gap from its twin, another server may answer, whose samples are as true; what the answers lack or get wrong is told by the other judges.
 */
export function judgeAgreement(truth: Truth): Finding[] {
  const { answers } = truth.record;
  return answers.flatMap((answer): Finding[] => {
    const first = answer.repeats === null ? undefined : answers[answer.repeats];
    if (first === undefined || first.error !== null || answer.error !== null) return [];
    const steps = differingSteps(first, answer);
    if (steps.length === 0) return [];
    const span = { fromMs: first.askedMs, toMs: answer.askedMs + answer.tookMs };
    const learning = { fromMs: span.fromMs - LEARNT_MS, toMs: span.toMs + LEARNT_MS };
    return [
      {
        kind: 'differs',
        atMs: first.askedMs,
        secondsMs: steps,
        isAllowed: truth.isNearFault(span, COVERING_AGAIN_MS) || truth.hasLearnt(learning),
        text: `${answer.question}: ${steps.length} steps differ`,
      },
    ];
  });
}

function differingSteps(first: Answer, second: Answer): number[] {
  const left = valuesOf(first.points);
  const right = valuesOf(second.points);
  const steps = new Set([...left.keys(), ...right.keys()]);
  return [...steps].filter((step) => !Object.is(left.get(step), right.get(step)));
}

function valuesOf(points: readonly Point[]): Map<number, number> {
  return new Map(points);
}
