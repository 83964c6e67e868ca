import type { Span } from '@pollux/promql/parser';
import type { HeldSeries } from './held-series.ts';
import { instancesOf, upOf } from './pair-past.ts';

/** One server at the end of a run. */
export type Collector = {
  readonly name: string;
  readonly twin: HeldSeries;
  readonly held: HeldSeries;
  /** When it was down, began or was about to be down, by its own clock; and before it lost its disk. */
  readonly away: readonly Span[];
  /** What was scheduled later may be under way. */
  readonly decidedMs: number;
};

export type Collecting = {
  readonly faults: readonly string[];
  /** Scrapes that were due from one server while another one was down. */
  readonly whileOthersWereAway: number;
};

/**
 * Invariant I1, from what is stored: while a server ran, it has scraped each target whenever its twin has, which has the same schedule and
 * the same links to targets, and with the same success; whatever became of the other servers meanwhile.
 */
export function judgeCollecting(servers: readonly Collector[]): Collecting {
  const faults: string[] = [];
  let whileOthersWereAway = 0;
  for (const server of servers) {
    const { name, twin, held, away, decidedMs } = server;
    const others = servers.filter((one) => one !== server);
    for (const instance of instancesOf(twin)) {
      const has = upOf(held, instance);
      const due = [...upOf(twin, instance)].filter(
        ([timeMs]) => timeMs < decidedMs && !isIn(away, timeMs),
      );
      whileOthersWereAway += due.filter(([timeMs]) =>
        others.some((other) => isIn(other.away, timeMs)),
      ).length;
      const lost = due.find(([timeMs, isUp]) => {
        const found = has.get(timeMs);
        return found === undefined || (isUp && !found);
      });
      if (lost === undefined) continue;
      const [timeMs] = lost;
      const how = has.has(timeMs) ? 'failed' : 'missed';
      faults.push(`not collected: ${name} has ${how} the scrape of ${instance} at ${timeMs}`);
    }
  }
  return { faults, whileOthersWereAway };
}

function isIn(spans: readonly Span[], timeMs: number): boolean {
  return spans.some(({ minMs, maxMs }) => timeMs >= minMs && timeMs <= maxMs);
}
