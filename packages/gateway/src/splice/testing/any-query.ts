import type { Random } from '@pollux/base';
import type { KnownQuery } from './judge.ts';
import { LOOKBACK_MS, type Times } from './modelled-pair.ts';
import { START_MS, WORLD_MS } from './modelled-replica.ts';

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}

export function anyTimes(random: Random): Times {
  const startMs = START_MS + 600_000 + random.below((WORLD_MS - 900_000) / 1_000) * 1_000;
  if (random.below(2) === 0) return { startMs, endMs: startMs, stepMs: 0 };
  const stepMs = pick(random, [7_000, 15_000, 60_000]);
  return { startMs, endMs: startMs + random.below(12) * stepMs, stepMs };
}

/** An expression with what it reads, told from how it is put together. */
export function anyQuery(random: Random): KnownQuery {
  const kind = random.below(10);
  if (kind < 8) return anyVector(random, 0);
  const left = anyVector(random, 0);
  const right = anyVector(random, pick(random, [0, 300_000, 600_000]));
  return {
    query: `sum(${left.query}) ${pick(random, ['-', '+', '/'])} sum(${right.query})`,
    spans: (at) => [...left.spans(at), ...right.spans(at)],
    instances: [...new Set([...left.instances, ...right.instances])],
  };
}

/** `shiftMs` further back than its own offset. */
function anyVector(random: Random, shiftMs: number): KnownQuery {
  const instances = pick(random, [['t0'], ['t1'], ['t0', 't1']]);
  const on = instances.length === 1 ? `{instance="${instances[0]}"}` : '';
  const offsetMs = shiftMs + pick(random, [0, 0, 60_000, 450_000]);
  const offset = offsetMs === 0 ? '' : ` offset ${offsetMs / 1_000}s`;
  const rangeMs = pick(random, [30_000, 120_000, 300_000, 900_000, 1_800_000]);
  const range = `[${rangeMs / 1_000}s]`;
  const window = (widthMs: number) => (at: number) => [
    { minMs: at - offsetMs - widthMs + 1, maxMs: at - offsetMs },
  ];
  const made = (query: string, widthMs: number): KnownQuery => ({
    query,
    spans: window(widthMs),
    instances,
  });
  switch (random.below(9)) {
    case 0:
      return made(`${pick(random, ['g', 'c_total', 'up', 'h'])}${on}${offset}`, LOOKBACK_MS);
    case 1:
      return made(
        `${pick(random, ['rate', 'increase', 'irate'])}(c_total${on}${range}${offset})`,
        rangeMs,
      );
    case 2: {
      const name = pick(random, ['resets', 'resets', 'changes', 'count_over_time']);
      const known = made(`${name}(c_total${on}${range}${offset})`, rangeMs);
      return { ...known, isResets: name === 'resets' };
    }
    case 3:
      return made(
        `${pick(random, ['max', 'avg', 'stddev', 'last'])}_over_time(g${on}${range}${offset})`,
        rangeMs,
      );
    case 4:
      return made(`histogram_quantile(0.9, rate(b_bucket${on}${range}${offset}))`, rangeMs);
    case 5:
      return made(`histogram_quantile(0.9, rate(h${on}${range}${offset}))`, rangeMs);
    case 6: {
      const outerMs = pick(random, [120_000, 600_000]);
      const inner = `rate(c_total${on}[60s])`;
      return made(
        `max_over_time(${inner}[${outerMs / 1_000}s:15s]${offset})`,
        outerMs + 60_000 - 1,
      );
    }
    case 7: {
      const at = START_MS + 900_000 + random.below(1_800) * 1_000;
      const query = `sum(increase(c_total${on}${range} @ ${at / 1_000}))`;
      return { ...made(query, rangeMs), spans: () => [{ minMs: at - rangeMs + 1, maxMs: at }] };
    }
    default:
      return made(`sum by (instance) (rate(c_total${on}${range}${offset})) > 1`, rangeMs);
  }
}
