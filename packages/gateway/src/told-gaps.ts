import { type CoverageSummary, type IntervalSet, subtract, union } from '@pollux/storage';
import type { ReplicaView } from './past-view.ts';
import type { Upstream } from './upstream.ts';

/**
 * What a member has said, with its answer, that it lacks and the plan did not know. Gaps are added to `found`; samples that it has dropped
 * since its last report are taken out of that, so that the next plan sees both.
 */
export function learnGaps(
  member: Upstream,
  summary: CoverageSummary | null,
  planned: ReplicaView | undefined,
  found: IntervalSet,
): { readonly news: IntervalSet; readonly found: IntervalSet } {
  if (summary === null) return { news: [], found };
  const gaps = subtract(summary.gaps, planned?.gaps ?? []);
  const plannedMs = planned?.sinceMs ?? Number.NEGATIVE_INFINITY;
  if (!Number.isFinite(plannedMs) || summary.sinceMs <= plannedMs)
    return { news: gaps, found: union(found, gaps) };
  member.dropBefore(summary.sinceMs);
  const dropped = [{ startMs: plannedMs, endMs: summary.sinceMs }];
  return { news: union(gaps, dropped), found: union(found, gaps) };
}
