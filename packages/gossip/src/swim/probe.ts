import {
  encodeMessage,
  type IndirectPingMessage,
  type PingMessage,
  type PingSource,
} from '../wire/messages.ts';
import { wantsChecksum, withPiggyback } from './gossip.ts';
import { log, suspect } from './membership.ts';
import type { Destination, SwimAction } from './protocol.ts';
import {
  isPresent,
  type Member,
  maxProtocol,
  nextSequence,
  pickMembers,
  raiseHealthScore,
  type SwimState,
  self,
} from './state.ts';

/** Members from these protocol versions on answer pings over TCP and send nacks. */
const TCP_PING_PROTOCOL = 3;
const NACK_PROTOCOL = 4;

/** Pings relayed for others at one time; further requests are ignored. */
const MAX_RELAYS = 1_024;

/** Pings the next member in turn. */
export function startProbe(state: SwimState, nowMs: number): SwimAction[] {
  const member = nextTarget(state, nowMs);
  if (member === null) return [];
  const { config } = state;
  const sequence = nextSequence(state);
  state.probe = {
    target: member.name,
    sequence,
    sentMs: nowMs,
    indirectAtMs: nowMs + config.probeTimeoutMs,
    endMs: nowMs + config.probeIntervalMs * (state.health + 1),
    expectedNacks: 0,
    nacks: 0,
    tcpAnswered: false,
  };
  const ping = encodeMessage({
    kind: 'ping',
    sequence,
    node: member.name,
    source: source(state),
  });
  if (member.state === 'alive') {
    const messages = withPiggyback(state, ping);
    return [{ kind: 'packet', to: destination(member), messages, withChecksum: false }];
  }
  // A suspected member is told of it at once, so that it can refute in time.
  const accusation = encodeMessage({
    kind: 'suspect',
    incarnation: member.incarnation,
    node: member.name,
    from: state.name,
  });
  const messages = [ping, accusation];
  const withChecksum = wantsChecksum(member);
  return [{ kind: 'packet', to: destination(member), messages, withChecksum }];
}

/** Makes a member the next in turn; false for one that is unknown. */
export function probeSoon(state: SwimState, node: string): boolean {
  const at = state.probeOrder.indexOf(node, state.probeIndex);
  const behind = at === -1 ? state.probeOrder.indexOf(node) : at;
  if (behind === -1) return false;
  state.probeOrder.splice(behind, 1);
  if (behind < state.probeIndex) state.probeIndex--;
  state.probeOrder.splice(state.probeIndex, 0, node);
  return true;
}

/** The next present member of the shuffled list; at its end those long dead are forgotten and it is shuffled anew. */
function nextTarget(state: SwimState, nowMs: number): Member | null {
  for (let tried = 0; tried <= state.probeOrder.length; tried++) {
    if (state.probeIndex >= state.probeOrder.length) {
      reap(state, nowMs);
      state.probeIndex = 0;
      if (state.probeOrder.length === 0) return null;
    }
    const member = state.members.get(state.probeOrder[state.probeIndex++]!);
    if (member !== undefined && isPresent(member)) return member;
  }
  return null;
}

function reap(state: SwimState, nowMs: number): void {
  for (const [name, member] of state.members) {
    if (name === state.name || isPresent(member)) continue;
    if (nowMs - member.changedMs > state.config.gossipToTheDeadMs) state.members.delete(name);
  }
  state.probeOrder = state.probeOrder.filter((name) => state.members.has(name));
  const order = state.probeOrder;
  for (let i = order.length - 1; i > 0; i--) {
    const j = state.random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
}

/** The direct ping was lost: ask others to try, and try over TCP. */
export function probeIndirectly(state: SwimState, nowMs: number): SwimAction[] {
  const { probe, config } = state;
  const target = probe === null ? undefined : state.members.get(probe.target);
  if (probe === null || target === undefined) return [];
  probe.indirectAtMs = Number.POSITIVE_INFINITY;
  const actions: SwimAction[] = [];
  const helpers = pickMembers(
    state,
    config.indirectChecks,
    (member) => member.name !== target.name && member.state === 'alive',
  );
  for (const helper of helpers) {
    const wantsNack = maxProtocol(helper) >= NACK_PROTOCOL;
    if (wantsNack) probe.expectedNacks++;
    const request = encodeMessage({
      kind: 'indirectPing',
      sequence: probe.sequence,
      node: target.name,
      target: target.address,
      port: target.port,
      wantsNack,
      source: source(state),
    });
    const messages = withPiggyback(state, request);
    actions.push({ kind: 'packet', to: destination(helper), messages, withChecksum: false });
  }
  if (maxProtocol(target) >= TCP_PING_PROTOCOL) {
    actions.push({
      kind: 'tcpPing',
      to: destination(target),
      node: target.name,
      sequence: probe.sequence,
      timeoutMs: Math.max(1, probe.endMs - nowMs),
    });
  }
  return actions;
}

/** Nobody reached the member in time: it becomes suspect, unless TCP did. */
export function endProbe(state: SwimState, nowMs: number): SwimAction[] {
  const { probe } = state;
  state.probe = null;
  const target = probe === null ? undefined : state.members.get(probe.target);
  if (probe === null || target === undefined || !isPresent(target)) return [];
  if (probe.tcpAnswered) {
    raiseHealthScore(state, -1);
    return [
      log('warn', 'UDP probes failed but TCP worked; network may be misconfigured', target.name),
    ];
  }
  // Helpers that stay silent too say more about our own network than about the target.
  const missing = probe.expectedNacks - probe.nacks;
  raiseHealthScore(state, probe.expectedNacks > 0 ? Math.max(0, missing) : 1);
  const said = { incarnation: target.incarnation, node: target.name, from: state.name };
  return [
    log('info', 'no acknowledgement; suspecting', target.name),
    ...suspect(state, said, nowMs),
  ];
}

/** A ping for us is answered where its sender wants the answer. */
export function onPing(state: SwimState, ping: PingMessage, from: Destination): SwimAction[] {
  if (ping.node !== '' && ping.node !== state.name) {
    return [log('debug', `a ping meant for ${ping.node}`, ping.source?.name ?? '')];
  }
  const to = ping.source ?? from;
  const messages = withPiggyback(state, encodeMessage({ kind: 'ack', sequence: ping.sequence }));
  return [{ kind: 'packet', to, messages, withChecksum: false }];
}

/** Pings a third member for the sender. */
export function onIndirectPing(
  state: SwimState,
  request: IndirectPingMessage,
  from: Destination,
  nowMs: number,
): SwimAction[] {
  if (state.relays.size >= MAX_RELAYS) return [];
  const sequence = nextSequence(state);
  state.relays.set(sequence, {
    sequence,
    forSequence: request.sequence,
    requester: request.source ?? from,
    endMs: nowMs + state.config.probeTimeoutMs,
    wantsNack: request.wantsNack,
  });
  const ping = encodeMessage({ kind: 'ping', sequence, node: request.node, source: source(state) });
  const to = { address: request.target, port: request.port };
  return [{ kind: 'packet', to, messages: withPiggyback(state, ping), withChecksum: false }];
}

export function onAck(state: SwimState, sequence: number, nowMs: number): SwimAction[] {
  const { probe } = state;
  if (probe !== null && probe.sequence === sequence) {
    state.probe = null;
    raiseHealthScore(state, -1);
    return [{ kind: 'pong', node: probe.target, roundTripMs: nowMs - probe.sentMs }];
  }
  const relay = state.relays.get(sequence);
  if (relay === undefined) return [];
  state.relays.delete(sequence);
  const ack = encodeMessage({ kind: 'ack', sequence: relay.forSequence });
  const messages = withPiggyback(state, ack);
  return [{ kind: 'packet', to: relay.requester, messages, withChecksum: false }];
}

export function onNack(state: SwimState, sequence: number): void {
  if (state.probe !== null && state.probe.sequence === sequence) state.probe.nacks++;
}

export function onTcpPong(state: SwimState, sequence: number): void {
  if (state.probe !== null && state.probe.sequence === sequence) state.probe.tcpAnswered = true;
}

/** Relayed pings that nobody answered in time. */
export function expireRelays(state: SwimState, nowMs: number): SwimAction[] {
  const actions: SwimAction[] = [];
  for (const relay of state.relays.values()) {
    if (relay.endMs > nowMs) continue;
    state.relays.delete(relay.sequence);
    if (!relay.wantsNack) continue;
    const nack = encodeMessage({ kind: 'nack', sequence: relay.forSequence });
    const messages = withPiggyback(state, nack);
    actions.push({ kind: 'packet', to: relay.requester, messages, withChecksum: false });
  }
  return actions;
}

function source(state: SwimState): PingSource {
  const { address, port } = self(state);
  return { address, port, name: state.name };
}

function destination({ address, port }: Member): Destination {
  return { address, port };
}
