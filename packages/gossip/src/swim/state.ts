import type { Random } from '@pollux/base';
import { type AliveMessage, encodeMessage } from '../wire/messages.ts';
import type { NodeState } from '../wire/stream.ts';
import { BroadcastQueue } from './broadcast-queue.ts';
import { type SwimConfig, VERSIONS } from './config.ts';
import type { Suspicion } from './suspicion.ts';
import { UserQueue } from './user-queue.ts';

/** A member as this one knows it. Times are monotonic ms. */
export type Member = {
  readonly name: string;
  address: Uint8Array;
  port: number;
  meta: Uint8Array;
  versions: Uint8Array;
  incarnation: number;
  state: NodeState;
  /** When the state last changed. */
  changedMs: number;
  suspicion: Suspicion | null;
};

/** The probe under way. */
export type Probe = {
  readonly target: string;
  readonly sequence: number;
  readonly sentMs: number;
  /** When the direct ping counts as lost; Infinity once that has happened. */
  indirectAtMs: number;
  readonly endMs: number;
  expectedNacks: number;
  nacks: number;
  /** The ping over TCP came back although those over UDP did not. */
  tcpAnswered: boolean;
};

/** A ping sent for somebody else. */
export type Relay = {
  readonly sequence: number;
  readonly forSequence: number;
  readonly requester: { readonly address: Uint8Array; readonly port: number };
  readonly endMs: number;
  readonly wantsNack: boolean;
};

export type Timers = {
  gossipMs: number;
  /** Infinity while there are no news. */
  newsMs: number;
  probeMs: number;
  pushPullMs: number;
  leaveMs: number;
};

/**
 * All that the protocol knows. `step` and its parts change it; nothing else does, and nothing in it reaches outside, so the
 * same events at the same times with the same seed give the same actions.
 */
export type SwimState = {
  readonly config: SwimConfig;
  readonly random: Random;
  readonly name: string;
  readonly members: Map<string, Member>;
  /** Order in which members are probed; new ones enter at random places. */
  probeOrder: string[];
  probeIndex: number;
  incarnation: number;
  sequence: number;
  /** 0 healthy … awarenessMax − 1: how much this member distrusts itself. */
  health: number;
  phase: 'running' | 'leaving' | 'left';
  readonly memberQueue: BroadcastQueue;
  readonly userQueue: UserQueue;
  /** Own news, encoded, that goes to the others before any round; empty but for some milliseconds. */
  news: Uint8Array[];
  /** When news were last sent. */
  newsSentMs: number;
  probe: Probe | null;
  /** A probe fell due while another was under way. */
  isProbeOverdue: boolean;
  /** When a member was last probed out of turn. */
  doubtedMs: number;
  readonly relays: Map<number, Relay>;
  readonly timers: Timers;
};

export type Identity = {
  readonly name: string;
  /** 4 bytes for IPv4, 16 for IPv6: what peers are told to send to. */
  readonly address: Uint8Array;
  readonly port: number;
};

/** A cluster of one. The rounds begin after a random share of their interval, so that members do not march in step. */
export function createState(
  identity: Identity,
  config: SwimConfig,
  random: Random,
  nowMs: number,
): SwimState {
  const self: Member = {
    ...identity,
    meta: new Uint8Array(0),
    versions: VERSIONS,
    incarnation: 1,
    state: 'alive',
    changedMs: nowMs,
    suspicion: null,
  };
  const state: SwimState = {
    config,
    random,
    name: identity.name,
    members: new Map([[identity.name, self]]),
    probeOrder: [],
    probeIndex: 0,
    incarnation: 1,
    sequence: 0,
    health: 0,
    phase: 'running',
    memberQueue: new BroadcastQueue(config.retransmitMult),
    userQueue: new UserQueue(config.userRetransmitMult),
    news: [],
    newsSentMs: Number.NEGATIVE_INFINITY,
    probe: null,
    isProbeOverdue: false,
    doubtedMs: Number.NEGATIVE_INFINITY,
    relays: new Map(),
    timers: {
      gossipMs: nowMs + random.next() * config.gossipIntervalMs,
      newsMs: Number.POSITIVE_INFINITY,
      probeMs: nowMs + random.next() * config.probeIntervalMs,
      pushPullMs: nowMs + random.next() * config.pushPullIntervalMs,
      leaveMs: Number.POSITIVE_INFINITY,
    },
  };
  state.memberQueue.push(encodeMessage(selfAlive(state)), state.name);
  return state;
}

/** What this member says of itself. */
export function selfAlive(state: SwimState): AliveMessage {
  const { address, port, meta, versions, incarnation } = self(state);
  return { kind: 'alive', node: state.name, address, port, meta, versions, incarnation };
}

export function self(state: SwimState): Member {
  return state.members.get(state.name)!;
}

/** A fresh number for a ping; wraps as an unsigned 32-bit counter. */
export function nextSequence(state: SwimState): number {
  state.sequence = (state.sequence + 1) >>> 0;
  return state.sequence;
}

export function isPresent(member: Member): boolean {
  return member.state === 'alive' || member.state === 'suspect';
}

/** Up to `count` different members that satisfy `isFit`, at random. */
export function pickMembers(
  state: SwimState,
  count: number,
  isFit: (member: Member) => boolean,
): Member[] {
  const fit = [...state.members.values()].filter((m) => m.name !== state.name && isFit(m));
  const picked: Member[] = [];
  while (picked.length < count && fit.length > 0) {
    const at = state.random.below(fit.length);
    picked.push(fit[at]!);
    fit[at] = fit[fit.length - 1]!;
    fit.pop();
  }
  return picked;
}

/** The highest protocol version a member understands. */
export function maxProtocol(member: Member): number {
  return member.versions[1] ?? 0;
}

export function raiseHealthScore(state: SwimState, by: number): void {
  state.health = Math.min(state.config.awarenessMax - 1, Math.max(0, state.health + by));
}
