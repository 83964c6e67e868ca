import { encodeMessage } from '../wire/messages.ts';
import type { SwimAction } from './protocol.ts';
import { isPresent, type Member, maxProtocol, pickMembers, type SwimState } from './state.ts';

/** Count and first length of a compound. */
const COMPOUND_HEADER_BYTES = 2;
/** A part's length in a compound. */
const PART_OVERHEAD_BYTES = 2;
/** Members from this protocol version on check CRCs. */
const CHECKSUM_PROTOCOL = 5;

/** One round: a fresh batch from the queues to each of a few random members. */
export function gossip(state: SwimState, nowMs: number): SwimAction[] {
  const { config } = state;
  const actions: SwimAction[] = [];
  const isTarget = (member: Member): boolean =>
    isPresent(member) || nowMs - member.changedMs < config.gossipToTheDeadMs;
  for (const member of pickMembers(state, config.gossipNodes, isTarget)) {
    const messages = takeBroadcasts(state, packetBudget(state));
    if (messages.length === 0) break;
    actions.push({ kind: 'packet', to: member, messages, withChecksum: wantsChecksum(member) });
  }
  return actions;
}

export function wantsChecksum(member: Member): boolean {
  return maxProtocol(member) >= CHECKSUM_PROTOCOL;
}

/** A direct message with as many broadcasts as fit behind it. */
export function withPiggyback(state: SwimState, message: Uint8Array): Uint8Array[] {
  const budget = packetBudget(state) - message.length - PART_OVERHEAD_BYTES;
  return [message, ...takeBroadcasts(state, budget)];
}

export function queueUserMessage(state: SwimState, data: Uint8Array): SwimAction[] {
  state.userQueue.push(encodeMessage({ kind: 'user', data }), null);
  const count = state.userQueue.prune(state.config.maxQueuedUserMessages);
  return count === 0 ? [] : [{ kind: 'pruned', count }];
}

function packetBudget({ config }: SwimState): number {
  return config.udpBytes - COMPOUND_HEADER_BYTES - config.labelBytes;
}

/** Membership first: user messages get the room that is left. */
function takeBroadcasts(state: SwimState, budgetBytes: number): Uint8Array[] {
  const memberCount = state.members.size;
  const messages = state.memberQueue.take(memberCount, PART_OVERHEAD_BYTES, budgetBytes);
  let used = 0;
  for (const message of messages) used += message.length + PART_OVERHEAD_BYTES;
  const rest = budgetBytes - used;
  messages.push(...state.userQueue.take(memberCount, PART_OVERHEAD_BYTES, rest));
  return messages;
}
