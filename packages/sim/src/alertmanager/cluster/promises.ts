import type { ClusterPlan } from './cluster-plan.ts';
import { PUSH_PULL_MS, RECONNECT_MS, SETTLE_MS } from './cluster-world.ts';

/** A flush has at least this long, whatever the group interval. */
export const MIN_FLUSH_MS = 10_000;
/** Between two looks of the servers at their rules, and between two sendings. */
const SENDERS_MS = 6_000;
/** From so many members on, the exchange of whole states becomes rarer with each doubling. */
const PUSH_PULL_SCALE_FROM = 32;

/**
 * Within this time a change that one member has said is everywhere, while all hear each other: gossip alone where nothing
 * is lost, an exchange of whole states with each other member where something may be.
 */
export function gossipBoundMs(plan: ClusterPlan): number {
  return plan.link.loss === 0 ? gossipRoundsMs(plan) : repairBoundMs(plan);
}

/** Within this time gossip alone carries a change as far as it does. */
export function gossipRoundsMs({ link, members, kind, peerTimeoutMs }: ClusterPlan): number {
  const rounds = 4 + 2 * Math.ceil(Math.log2(members + 1));
  // Members of calm runs stand still for so long at most.
  return rounds * (200 + link.maxDelayMs) + (kind === 'calm' ? 1.25 * peerTimeoutMs : 0);
}

/** Within this time members that were apart agree again: they find each other, and exchange whole states. */
export function repairBoundMs({ members }: Pick<ClusterPlan, 'members'>): number {
  const scale = members <= PUSH_PULL_SCALE_FROM ? 1 : Math.ceil(Math.log2(members) - 5) + 1;
  return 2 * RECONNECT_MS + (1 + Math.ceil(Math.log2(members + 1))) * PUSH_PULL_MS * scale;
}

/** From its start a member takes so long to speak: it settles first. */
export function settleBoundMs({ members }: ClusterPlan): number {
  return 2 * SETTLE_MS + (members > 10 ? 20_000 : 0);
}

/**
 * Within this time a change is told by a member that knows of it and reaches the receiver: an earlier flush that another
 * receiver or a bad time held up, the wait for the next, the wait for all members with smaller names.
 */
export function tellBoundMs(plan: ClusterPlan, position: number): number {
  const flushMs = Math.max(plan.groupIntervalMs, MIN_FLUSH_MS) + position * plan.peerTimeoutMs;
  return 2 * flushMs + plan.groupWaitMs + plan.slowAnswerMs + SENDERS_MS;
}
