import type { CoverageReport, IntervalSet } from '@pollux/storage';
import type { KnownReplica } from './past-view.ts';
import type { Upstream } from './upstream.ts';

/** What is known of servers that are asked, and behind them of all stores, which cover nothing while they are away. */
export function knownReplicas(
  servers: readonly Upstream[],
  stores: readonly Upstream[],
  how: {
    readonly nowMs: number;
    /** They have failed this request. */
    readonly lost: ReadonlySet<Upstream>;
    /** What a server lacks besides. */
    readonly found?: (server: Upstream) => IntervalSet;
  },
): readonly KnownReplica[] {
  const { nowMs, lost, found = () => [] } = how;
  return [
    ...servers.map((server) => ({
      name: server.name,
      report: server.coverage,
      found: found(server),
    })),
    ...stores.map((store) => {
      const known = store.coverage;
      const isThere = store.isUp && !lost.has(store);
      const report = isThere && known !== null ? known : nothingCovered(nowMs, known);
      return { name: store.name, report, isStored: true };
    }),
  ];
}

/** So that what a store would have is known to be lacking; where its samples begin, as last seen, nobody lacks what lies before. */
function nothingCovered(nowMs: number, known: CoverageReport | null): CoverageReport {
  const { sinceMs = 0, bucketsSinceMs = 0 } = known ?? {};
  return {
    configIdentity: '',
    nowMs,
    sinceMs,
    bucketsSinceMs,
    serverGaps: [{ startMs: 0, endMs: Number.MAX_SAFE_INTEGER }],
    subjects: [],
  };
}
