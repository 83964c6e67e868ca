import { errorText } from '@pollux/base';
import { ALERT_NAME, isStaleAt, Matcher, wordsOf } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type Queryable, type SeriesColumns } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { ALERTS_FOR_STATE_METRIC, type AlertingRule } from '../alerting-rule.ts';

export type RestoreOptions = {
  readonly queryable: Queryable;
  readonly log: Log;
  /** How far back the state of a server that was down is looked for. */
  readonly outageToleranceMs: number;
  /** Least time between a restored pending alert and its firing. */
  readonly gracePeriodMs: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
};

/** Memory that the state series of one rule may take; far above the alerts that any rule may sanely have. */
const BUDGET_BYTES = 256 * 1024 * 1024;

/**
 * Gives the alerts of one rule back the time they had been active before the process stopped, from ALERTS_FOR_STATE.
 * Must run after evaluations have made the rule's alerts anew. Not for rules whose `for` is below the grace period: they would not gain.
 * Whatever happens, the rule counts as restored afterwards and writes its series.
 */
export async function restoreForState(rule: AlertingRule, options: RestoreOptions): Promise<void> {
  if (rule.isRestored) return;
  try {
    if (rule.active().length > 0) {
      const states = await newestStates(rule.spec.name, options);
      for (const alert of rule.active()) {
        const state = states.get(alert.labels.key());
        if (state !== undefined) {
          alert.activeAtMs = restoredActiveAt(state, rule.spec.forMs, options);
        }
      }
    }
  } catch (error) {
    options.log.error("Failed to restore 'for' state", {
      alertname: rule.spec.name,
      stage: 'Select',
      err: errorText(error),
    });
  }
  rule.markRestored();
}

type ForState = { readonly seenAtMs: number; readonly activeAtMs: number };

function restoredActiveAt(
  state: ForState,
  forMs: number,
  { gracePeriodMs, nowMs }: RestoreOptions,
): number {
  const remainingMs = forMs - (state.seenAtMs - state.activeAtMs);
  // It was firing when the process stopped and fires again with the next evaluation.
  if (remainingMs <= 0) return state.activeAtMs;
  // Too near to firing: after the outage it gets the grace period to go away.
  if (remainingMs < gracePeriodMs) return nowMs + gracePeriodMs - forMs;
  // The time the process was down does not count as active.
  return state.activeAtMs + (nowMs - state.seenAtMs);
}

/** The newest state of each alert of the rule by its labels' key; alerts whose series ended are left out. */
async function newestStates(
  alertName: string,
  { queryable, outageToleranceMs, nowMs, signal }: RestoreOptions,
): Promise<Map<string, ForState>> {
  const source = queryable.select(
    {
      range: { minMs: nowMs - outageToleranceMs, maxMs: nowMs },
      matchers: [Matcher.metric(ALERTS_FOR_STATE_METRIC), new Matcher(ALERT_NAME, '=', alertName)],
      hints: { ...NO_HINTS, startMs: nowMs - outageToleranceMs, endMs: nowMs },
      sorted: false,
    },
    { signal, budget: new MemoryBudget(BUDGET_BYTES, 'rules.restore-memory') },
  );
  const states = new Map<string, ForState>();
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const series of batch) {
        const state = newestState(series);
        if (state !== null) states.set(series.labels.withoutMetricName().key(), state);
      }
    }
  } finally {
    source.close();
  }
  return states;
}

function newestState(series: SeriesColumns): ForState | null {
  const last = series.count - 1;
  if (last < 0 || isStaleAt(wordsOf(series.values), last)) return null;
  const activeAtMs = Math.trunc(series.values[last]!) * 1000;
  return Number.isFinite(activeAtMs) ? { seenAtMs: series.timestampsMs[last]!, activeAtMs } : null;
}
