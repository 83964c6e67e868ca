import { unreachable } from '@pollux/base';
import type { Message } from '../wire/messages.ts';
import { encodeMessage } from '../wire/messages.ts';
import { gossip, gossipIntervalMs, queueUserMessage, sendNews, tellNews } from './gossip.ts';
import { alive, dead, merge, suspect } from './membership.ts';
import {
  endProbe,
  expireRelays,
  onAck,
  onIndirectPing,
  onNack,
  onPing,
  onTcpPong,
  probeIndirectly,
  probeSoon,
  startProbe,
} from './probe.ts';
import type { Destination, SwimAction, SwimEvent } from './protocol.ts';
import { pickMembers, type SwimState, self } from './state.ts';
import { suspicionEndMs } from './suspicion.ts';

/** Size of the cluster above which full-state exchanges become rarer. */
const PUSH_PULL_SCALE_FROM = 32;

/**
 * The protocol: what a member does about an event at a monotonic time. Deterministic; all it changes is `state`.
 */
export function step(state: SwimState, event: SwimEvent, nowMs: number): SwimAction[] {
  if (state.phase === 'left') return [];
  switch (event.kind) {
    case 'tick':
      return tick(state, nowMs);
    case 'message':
      return onMessage(state, event.message, event.from, nowMs);
    case 'merge':
      return merge(state, event.nodes, nowMs);
    case 'tcpPong':
      onTcpPong(state, event.sequence);
      return [];
    case 'broadcast':
      return queueUserMessage(state, event.data);
    case 'news':
      return tellNews(state, event.data, nowMs);
    case 'doubt':
      return doubt(state, event.node, nowMs);
    case 'leave':
      return leave(state, nowMs);
    default:
      return unreachable(event);
  }
}

/** When the next `tick` has something to do; never, once the member has left. */
export function nextDueMs(state: SwimState): number {
  if (state.phase === 'left') return Number.POSITIVE_INFINITY;
  const { timers, probe } = state;
  let due = Math.min(timers.gossipMs, timers.newsMs, timers.probeMs, timers.pushPullMs);
  due = Math.min(due, timers.leaveMs);
  if (probe !== null) due = Math.min(due, probe.indirectAtMs, probe.endMs);
  for (const relay of state.relays.values()) due = Math.min(due, relay.endMs);
  for (const { suspicion } of state.members.values()) {
    if (suspicion !== null) due = Math.min(due, suspicionEndMs(suspicion));
  }
  return due;
}

function onMessage(
  state: SwimState,
  message: Message,
  from: Destination,
  nowMs: number,
): SwimAction[] {
  switch (message.kind) {
    case 'ping':
      return onPing(state, message, from);
    case 'indirectPing':
      return onIndirectPing(state, message, from, nowMs);
    case 'ack':
      return onAck(state, message.sequence, nowMs);
    case 'nack':
      onNack(state, message.sequence);
      return [];
    case 'alive':
      return alive(state, message, nowMs);
    case 'suspect':
      return suspect(state, message, nowMs);
    case 'dead':
      return dead(state, message, nowMs);
    case 'user':
      return [{ kind: 'deliver', data: message.data, from }];
  }
}

function tick(state: SwimState, nowMs: number): SwimAction[] {
  const { timers } = state;
  const actions = [...expireRelays(state, nowMs), ...expireSuspicions(state, nowMs)];
  actions.push(...driveProbe(state, nowMs));
  if (timers.newsMs <= nowMs) actions.push(...sendNews(state, nowMs));
  if (timers.gossipMs <= nowMs) {
    const roundMs = timers.gossipMs;
    actions.push(...gossip(state, nowMs));
    timers.gossipMs = nextRound(roundMs, gossipIntervalMs(state), nowMs);
  }
  if (timers.pushPullMs <= nowMs) {
    const intervalMs = pushPullIntervalMs(state);
    timers.pushPullMs = nextRound(timers.pushPullMs, intervalMs, nowMs);
    for (const member of pickMembers(state, 1, (candidate) => candidate.state === 'alive')) {
      actions.push({ kind: 'pushPull', to: member, node: member.name });
    }
  }
  if (timers.leaveMs <= nowMs) actions.push(...finishLeave(state));
  return actions;
}

function driveProbe(state: SwimState, nowMs: number): SwimAction[] {
  const { timers, config } = state;
  const actions: SwimAction[] = [];
  if (state.probe !== null && state.probe.indirectAtMs <= nowMs && nowMs < state.probe.endMs) {
    actions.push(...probeIndirectly(state, nowMs));
  }
  if (state.probe !== null && state.probe.endMs <= nowMs) actions.push(...endProbe(state, nowMs));
  if (timers.probeMs <= nowMs) {
    timers.probeMs = nextRound(timers.probeMs, config.probeIntervalMs, nowMs);
    state.isProbeOverdue = true;
  }
  // A probe that takes longer than the interval delays the next, which then follows at once.
  if (state.isProbeOverdue && state.probe === null) {
    state.isProbeOverdue = false;
    actions.push(...startProbe(state, nowMs));
  }
  return actions;
}

/**
 * Brings the turn of a doubtful member forward, once an interval: one that refuses connections and lives must not keep the
 * others from being probed. One that is suspected has its time already.
 */
function doubt(state: SwimState, node: string, nowMs: number): SwimAction[] {
  if (state.phase !== 'running' || state.members.get(node)?.state !== 'alive') return [];
  if (nowMs < state.doubtedMs + 2 * state.config.probeIntervalMs) return [];
  if (state.probe?.target === node || !probeSoon(state, node)) return [];
  state.doubtedMs = nowMs;
  if (state.probe !== null) {
    state.isProbeOverdue = true;
    return [];
  }
  state.timers.probeMs = nowMs + state.config.probeIntervalMs;
  return startProbe(state, nowMs);
}

function expireSuspicions(state: SwimState, nowMs: number): SwimAction[] {
  const actions: SwimAction[] = [];
  for (const member of state.members.values()) {
    const { suspicion, incarnation, name } = member;
    if (suspicion === null || suspicionEndMs(suspicion) > nowMs) continue;
    actions.push(...dead(state, { incarnation, node: name, from: state.name }, nowMs));
  }
  return actions;
}

/** Says goodbye; `leaveDone` follows once that was told often enough or after the time-out. */
function leave(state: SwimState, nowMs: number): SwimAction[] {
  if (state.phase !== 'running') return [];
  state.phase = 'leaving';
  const member = self(state);
  member.state = 'left';
  member.changedMs = nowMs;
  const others = pickMembers(
    state,
    1,
    (other) => other.state === 'alive' || other.state === 'suspect',
  );
  if (others.length === 0) return finishLeave(state);
  const goodbye = {
    kind: 'dead' as const,
    incarnation: member.incarnation,
    node: state.name,
    from: state.name,
  };
  state.timers.leaveMs = nowMs + state.config.leaveTimeoutMs;
  state.memberQueue.push(encodeMessage(goodbye), state.name, () => {
    // Told often enough; the next tick finishes, after the packet of this round is out.
    state.timers.leaveMs = Number.NEGATIVE_INFINITY;
  });
  return [];
}

function finishLeave(state: SwimState): SwimAction[] {
  state.phase = 'left';
  state.timers.leaveMs = Number.POSITIVE_INFINITY;
  return [{ kind: 'leaveDone' }];
}

/** The next time of a round that does not lie behind; rounds missed while the process slept are not made up. */
function nextRound(dueMs: number, intervalMs: number, nowMs: number): number {
  const next = dueMs + intervalMs;
  return next > nowMs ? next : nowMs + intervalMs;
}

/** Doubling clusters beyond 32 members makes the exchange one interval rarer. */
function pushPullIntervalMs(state: SwimState): number {
  const { pushPullIntervalMs: intervalMs } = state.config;
  const count = state.members.size;
  if (count <= PUSH_PULL_SCALE_FROM) return intervalMs;
  return intervalMs * (Math.ceil(Math.log2(count) - Math.log2(PUSH_PULL_SCALE_FROM)) + 1);
}
