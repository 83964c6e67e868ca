import type { Random } from '@pollux/base';
import type { Span } from '@pollux/promql/parser';
import { LOOKBACK_MS, type PairPlan, pick } from './pair-plan.ts';
import { TARGET_PORT } from './target-double.ts';

export type Times = { readonly startMs: number; readonly endMs: number; readonly stepMs: number };

/** A query with what one step of it may read, known from how it was made and not from reading it. */
export type PairQuestion = {
  readonly query: string;
  readonly times: Times;
  readonly spans: (timeMs: number) => readonly Span[];
  /** Instances whose series it reads. */
  readonly instances: readonly string[];
};

type Known = Omit<PairQuestion, 'times'>;

/** A dashboard's, an alert's or a curious person's, at any time up to `nowMs`. */
export function anyQuestion(
  random: Random,
  plan: PairPlan,
  time: { readonly startMs: number; readonly nowMs: number },
): PairQuestion {
  const instances = plan.targets.map(({ name }) => `${name}:${TARGET_PORT}`);
  const times = anyTimes(random, time);
  if (random.below(5) > 0) return { ...anyVector(random, instances, time, 0), times };
  const left = anyVector(random, instances, time, 0);
  const right = anyVector(random, instances, time, pick(random, [0, 120_000]));
  return {
    query: `sum(${left.query}) ${pick(random, ['-', '+', '/'])} sum(${right.query})`,
    spans: (at) => [...left.spans(at), ...right.spans(at)],
    instances: [...new Set([...left.instances, ...right.instances])],
    times,
  };
}

function anyTimes(
  random: Random,
  time: { readonly startMs: number; readonly nowMs: number },
): Times {
  const { startMs, nowMs } = time;
  const whole = (ms: number): number => Math.floor(ms / 1_000) * 1_000;
  const fromMs = Math.max(startMs + 30_000, nowMs - 300_000);
  // What is now is asked most.
  const endMs = random.below(3) === 0 ? whole(nowMs) : whole(fromMs + random.below(nowMs - fromMs));
  if (random.below(2) === 0) return { startMs: endMs, endMs, stepMs: 0 };
  const stepMs = pick(random, [7_000, 15_000, 30_000]);
  return { startMs: endMs - random.below(12) * stepMs, endMs, stepMs };
}

/** `shiftMs` further back than its own offset. */
function anyVector(
  random: Random,
  all: readonly string[],
  time: { readonly startMs: number; readonly nowMs: number },
  shiftMs: number,
): Known {
  const one = random.below(2) === 0 ? pick(random, all) : null;
  const instances = one === null ? all : [one];
  const on = one === null ? '' : `{instance="${one}"}`;
  const offsetMs = shiftMs + pick(random, [0, 0, 30_000, 150_000]);
  const offset = offsetMs === 0 ? '' : ` offset ${offsetMs / 1_000}s`;
  const rangeMs = pick(random, [30_000, 60_000, 120_000, 300_000]);
  const range = `[${rangeMs / 1_000}s]`;
  const made = (query: string, widthMs: number): Known => ({
    query,
    spans: (at) => [{ minMs: at - offsetMs - widthMs + 1, maxMs: at - offsetMs }],
    instances,
  });
  switch (random.below(9)) {
    case 0:
      return made(`${pick(random, ['g', 'c_total', 'up', 'flap'])}${on}${offset}`, LOOKBACK_MS);
    case 1:
      return made(
        `${pick(random, ['rate', 'increase', 'irate'])}(c_total${on}${range}${offset})`,
        rangeMs,
      );
    case 2:
      return made(
        `${pick(random, ['resets', 'changes', 'count_over_time'])}(c_total${on}${range}${offset})`,
        rangeMs,
      );
    case 3:
      return made(
        `${pick(random, ['max', 'avg', 'stddev', 'last'])}_over_time(g${on}${range}${offset})`,
        rangeMs,
      );
    case 4:
      return made(`histogram_quantile(0.9, rate(b_bucket${on}${range}${offset}))`, rangeMs);
    case 5: {
      const outerMs = pick(random, [60_000, 180_000]);
      const inner = `rate(c_total${on}[60s])`;
      const query = `max_over_time(${inner}[${outerMs / 1_000}s:15s]${offset})`;
      return made(query, outerMs + 60_000 - 1);
    }
    case 6: {
      const behindMs = time.nowMs - time.startMs;
      const at = Math.floor((time.startMs + random.below(behindMs)) / 1_000) * 1_000;
      const query = `sum(increase(c_total${on}${range} @ ${at / 1_000}))`;
      return { ...made(query, rangeMs), spans: () => [{ minMs: at - rangeMs + 1, maxMs: at }] };
    }
    case 7:
      return made(`g${on}${offset} > 0.7`, LOOKBACK_MS);
    default:
      return made(`sum by (instance) (rate(c_total${on}${range}${offset})) > 10`, rangeMs);
  }
}
