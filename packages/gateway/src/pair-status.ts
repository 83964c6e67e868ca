import type { MemberStatus, PairStatus, RoleStatus } from '@pollux/api-types/pair';
import { summaryOf } from '@pollux/storage';
import type { GroupConfig } from './config.ts';
import type { Upstream } from './upstream.ts';

/** How far back the console shows gaps. */
const SHOWN_MS = 3_600_000;

export function pairStatus(
  nowMs: number,
  groups: readonly { readonly config: GroupConfig; readonly upstreams: readonly Upstream[] }[],
): PairStatus {
  return {
    nowMs,
    // The console shows the pair; other services behind this address are not part of it.
    groups: groups.flatMap(({ config: { name, kind }, upstreams }) =>
      kind === 'http'
        ? []
        : [{ name, kind, members: upstreams.map((upstream) => memberStatus(upstream, nowMs)) }],
    ),
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
    // Only the console reads it, and it checks the role it names.
    details: details as RoleStatus | null,
  };
}
