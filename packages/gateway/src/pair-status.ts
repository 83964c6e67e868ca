import { summaryOf } from '@pollux/storage';
import type { GroupConfig } from './config.ts';
import type { Upstream } from './upstream.ts';

/** How far back the console shows gaps. */
const SHOWN_MS = 3_600_000;

/** The JSON of `/api/v1/pollux/pair`: every group and member as the gateway sees it now. */
export type PairStatus = {
  readonly nowMs: number;
  readonly groups: readonly {
    readonly name: string;
    readonly kind: GroupConfig['kind'];
    readonly members: readonly MemberStatus[];
  }[];
};

export type MemberStatus = {
  readonly name: string;
  readonly url: string;
  readonly isUp: boolean;
  readonly lastError: string;
  readonly lastUpMs: number;
  /** Null for members that keep no coverage. Flat: start, end … in ms, within the last hour. */
  readonly gaps: readonly number[] | null;
  readonly configIdentity: string | null;
  /** What the member says of itself (replication queues, cluster members, watermarks); null when it says nothing. */
  readonly details: unknown;
};

export function pairStatus(
  nowMs: number,
  groups: readonly { readonly config: GroupConfig; readonly upstreams: readonly Upstream[] }[],
): PairStatus {
  return {
    nowMs,
    groups: groups.map(({ config, upstreams }) => ({
      name: config.name,
      kind: config.kind,
      members: upstreams.map((upstream) => memberStatus(upstream, nowMs)),
    })),
  };
}

function memberStatus(upstream: Upstream, nowMs: number): MemberStatus {
  const { name, url, isUp, lastError, lastUpMs, coverage, details } = upstream;
  const summary = coverage === null ? null : summaryOf(coverage);
  return {
    name,
    url,
    isUp,
    lastError,
    lastUpMs,
    gaps:
      summary?.gaps
        .filter(({ endMs }) => endMs > nowMs - SHOWN_MS)
        .flatMap(({ startMs, endMs }) => [startMs, endMs]) ?? null,
    configIdentity: summary?.configIdentity ?? null,
    details,
  };
}
