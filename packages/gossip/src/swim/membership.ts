import {
  type AccusationMessage,
  type AliveMessage,
  encodeMessage,
  type Message,
} from '../wire/messages.ts';
import type { PushedNode } from '../wire/stream.ts';
import type { SwimAction } from './protocol.ts';
import { type Member, raiseHealthScore, type SwimState, self, selfAlive } from './state.ts';
import { confirm, suspect as startSuspicion } from './suspicion.ts';

/** Members that a cluster of ours may know of; further ones are ignored. */
const MAX_MEMBERS = 4_096;

/** Longest name that is taken over. */
const MAX_NAME_LENGTH = 512;

type Accusation = Omit<AccusationMessage, 'kind'>;

/** Somebody says that a member is alive. */
export function alive(
  state: SwimState,
  said: Omit<AliveMessage, 'kind'>,
  nowMs: number,
): SwimAction[] {
  const isSelf = said.node === state.name;
  if (isSelf && state.phase !== 'running') return [];
  if (said.node === '' || said.node.length > MAX_NAME_LENGTH) return [];
  const [pMin = 0, pMax = 0] = said.versions;
  if (said.versions.length >= 3 && (pMin === 0 || pMax === 0 || pMin > pMax)) return [];
  const known = state.members.get(said.node);
  if (known === undefined && state.members.size >= MAX_MEMBERS) {
    return [log('warn', `more than ${MAX_MEMBERS} members; ignored`, said.node)];
  }
  const member = known ?? insert(state, said, nowMs);
  const moved = member.port !== said.port || !isSame(member.address, said.address);
  if (moved && member.state !== 'left') {
    const at = { address: said.address, port: said.port };
    return [{ kind: 'conflict', node: said.node, at }];
  }
  if (!isSelf && said.incarnation <= member.incarnation && !moved) return [];
  if (isSelf && said.incarnation < member.incarnation) return [];
  member.suspicion = null;
  if (isSelf) {
    const isOurs =
      said.incarnation === member.incarnation &&
      isSame(said.meta, member.meta) &&
      isSame(said.versions, member.versions);
    return isOurs ? [] : refute(state, said.incarnation, 'alive with a foreign incarnation');
  }
  return [{ kind: 'alive', node: said.node }, ...revive(state, member, said, nowMs)];
}

function revive(
  state: SwimState,
  member: Member,
  said: Omit<AliveMessage, 'kind'>,
  nowMs: number,
): SwimAction[] {
  broadcast(state, { kind: 'alive', ...said });
  const wasPresent = member.state === 'alive' || member.state === 'suspect';
  const isUpdated = wasPresent && !isSame(member.meta, said.meta);
  if (member.state !== 'alive') member.changedMs = nowMs;
  member.state = 'alive';
  member.incarnation = said.incarnation;
  member.address = said.address;
  member.port = said.port;
  member.meta = said.meta;
  if (said.versions.length >= 6) member.versions = said.versions;
  if (!wasPresent) return [{ kind: 'joined', member: { ...member } }];
  return isUpdated ? [{ kind: 'updated', member: { ...member } }] : [];
}

function insert(state: SwimState, said: Omit<AliveMessage, 'kind'>, nowMs: number): Member {
  const member: Member = {
    name: said.node,
    address: said.address,
    port: said.port,
    meta: said.meta,
    versions: said.versions,
    incarnation: 0,
    state: 'dead',
    changedMs: nowMs,
    suspicion: null,
  };
  state.members.set(said.node, member);
  state.probeOrder.splice(state.random.below(state.probeOrder.length + 1), 0, said.node);
  return member;
}

/** Somebody could not reach a member. */
export function suspect(state: SwimState, said: Accusation, nowMs: number): SwimAction[] {
  const member = state.members.get(said.node);
  if (member === undefined || isOutdated(state, said, member)) return [];
  if (member.suspicion !== null) {
    if (confirm(member.suspicion, said.from)) broadcast(state, { kind: 'suspect', ...said });
    return [];
  }
  if (member.state !== 'alive') return [];
  if (said.node === state.name) {
    return refute(state, said.incarnation, `suspected by ${said.from}`);
  }
  broadcast(state, { kind: 'suspect', ...said });
  member.incarnation = said.incarnation;
  member.state = 'suspect';
  member.changedMs = nowMs;
  member.suspicion = startSuspicion(state.config, state.members.size, said.from, nowMs);
  return [log('debug', `suspected by ${said.from}`, said.node)];
}

/** Somebody declares a member dead, or a member says so of itself: then it has left. */
export function dead(state: SwimState, said: Accusation, nowMs: number): SwimAction[] {
  const member = state.members.get(said.node);
  if (member === undefined || isOutdated(state, said, member)) return [];
  member.suspicion = null;
  if (member.state === 'dead' || member.state === 'left') return [];
  const isSelf = said.node === state.name;
  if (isSelf && state.phase === 'running') {
    return refute(state, said.incarnation, `declared dead by ${said.from}`);
  }
  const actions: SwimAction[] = [];
  broadcast(state, { kind: 'dead', ...said });
  member.incarnation = said.incarnation;
  member.state = said.node === said.from ? 'left' : 'dead';
  member.changedMs = nowMs;
  if (!isSelf) actions.push({ kind: 'left', member: { ...member } });
  return actions;
}

/**
 * Whether an accusation has been answered since. Who still accuses this member has missed its answer, which chance may leave out: it is
 * said once more, as that one would declare it dead, where the original waits for others to pass its answer on.
 */
function isOutdated(state: SwimState, said: Accusation, { incarnation }: Member): boolean {
  if (said.incarnation >= incarnation) return false;
  if (said.node === state.name && state.phase === 'running') broadcast(state, selfAlive(state));
  return true;
}

/** Answers a false accusation with a higher incarnation of oneself. */
function refute(state: SwimState, accusedIncarnation: number, why: string): SwimAction[] {
  const member = self(state);
  state.incarnation = Math.max(state.incarnation, accusedIncarnation) + 1;
  member.incarnation = state.incarnation;
  raiseHealthScore(state, 1);
  broadcast(state, selfAlive(state));
  return [log('warn', `refuting: ${why}`, state.name)];
}

/** Takes over another member's list. What it holds for dead is only suspected here, so that the member can object. */
export function merge(state: SwimState, nodes: readonly PushedNode[], nowMs: number): SwimAction[] {
  const actions: SwimAction[] = [];
  for (const node of nodes) {
    const { incarnation } = node;
    if (node.state === 'alive') actions.push(...alive(state, node, nowMs));
    else if (node.state === 'left') {
      actions.push(...dead(state, { incarnation, node: node.node, from: node.node }, nowMs));
    } else {
      const said = { incarnation, node: node.node, from: state.name };
      actions.push(...suspect(state, said, nowMs));
    }
  }
  return actions;
}

/**
 * Why two lists cannot be merged: every node must speak a version that all alive ones understand. Null when they can. A
 * mismatch voids the whole exchange, user state included.
 */
export function versionMismatch(
  local: readonly PushedNode[],
  remote: readonly PushedNode[],
): string | null {
  const all = [...remote, ...local];
  const range = (low: number, high: number): readonly [number, number] => {
    let least = 0;
    let most = 255;
    for (const { state, versions } of all) {
      if (state !== 'alive' || versions.length < 6) continue;
      least = Math.max(least, versions[low] ?? 0);
      most = Math.min(most, versions[high] ?? 0);
    }
    return [least, most];
  };
  const [protocolMin, protocolMax] = range(0, 1);
  const [delegateMin, delegateMax] = range(3, 4);
  for (const { node, versions } of all) {
    const protocol = versions[2] ?? 0;
    const delegate = versions[5] ?? 0;
    if (protocol < protocolMin || protocol > protocolMax) {
      return `node ${node}: protocol version (${protocol}) is incompatible: [${protocolMin}, ${protocolMax}]`;
    }
    if (delegate < delegateMin || delegate > delegateMax) {
      return `node ${node}: delegate protocol version (${delegate}) is incompatible: [${delegateMin}, ${delegateMax}]`;
    }
  }
  return null;
}

/** All members as a push/pull lists them. */
export function pushedNodes(state: SwimState): PushedNode[] {
  return [...state.members.values()].map((member) => ({
    node: member.name,
    address: member.address,
    port: member.port,
    meta: member.meta,
    versions: member.versions,
    incarnation: member.incarnation,
    state: member.state,
  }));
}

/** Queues a message about a member in place of the one before. */
export function broadcast(
  state: SwimState,
  message: Extract<Message, { kind: 'alive' | 'suspect' | 'dead' }>,
): void {
  state.memberQueue.push(encodeMessage(message), message.node);
}

export function log(
  level: 'debug' | 'info' | 'warn',
  text: string,
  node: string,
): Extract<SwimAction, { kind: 'log' }> {
  return { kind: 'log', level, text, node };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
