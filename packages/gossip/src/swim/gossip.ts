import { encodeMessage } from '../wire/messages.ts';
import type { SwimAction } from './protocol.ts';
import { isPresent, type Member, maxProtocol, pickMembers, type SwimState } from './state.ts';

/** Count and first length of a compound. */
const COMPOUND_HEADER_BYTES = 2;
/** A part's length in a compound. */
const PART_OVERHEAD_BYTES = 2;
/** Members from this protocol version on check CRCs. */
const CHECKSUM_PROTOCOL = 5;

/** Members that news go to at once; in larger clusters the rounds bring it to the others. */
const MAX_NEWS_MEMBERS = 8;
/** Packets of one moment's news, to each. */
const MAX_NEWS_PACKETS = 16;
/** With more messages than this waiting the next round comes in a quarter of the interval. */
const LONG_QUEUE = 16;

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

/** How long until the next round. */
export function gossipIntervalMs({ config, userQueue }: SwimState): number {
  return userQueue.size > LONG_QUEUE ? config.gossipIntervalMs / 4 : config.gossipIntervalMs;
}

export function wantsChecksum(member: Member): boolean {
  return maxProtocol(member) >= CHECKSUM_PROTOCOL;
}

/** A direct message with as many broadcasts as fit behind it. */
export function withPiggyback(state: SwimState, message: Uint8Array): Uint8Array[] {
  const budget = packetBudget(state) - message.length - PART_OVERHEAD_BYTES;
  return [message, ...takeBroadcasts(state, budget)];
}

/**
 * Something only this member knows: it goes to the others at once, before any round, so that it outlives this member. Many
 * of the same moment share packets. The caller sees to it that it is told again: these packets may be lost.
 */
export function tellNews(state: SwimState, data: Uint8Array, nowMs: number): SwimAction[] {
  state.news.push(encodeMessage({ kind: 'user', data }));
  const dueMs = state.newsSentMs + state.config.newsGapMs;
  if (dueMs <= nowMs) return sendNews(state, nowMs);
  state.timers.newsMs = Math.min(state.timers.newsMs, dueMs);
  return [];
}

export function sendNews(state: SwimState, nowMs: number): SwimAction[] {
  const packets = packed(state.news, packetBudget(state));
  state.news = [];
  state.newsSentMs = nowMs;
  state.timers.newsMs = Number.POSITIVE_INFINITY;
  const actions: SwimAction[] = [];
  const members = pickMembers(state, MAX_NEWS_MEMBERS, isPresent);
  // Packet by packet, so that the transport puts each together once for all.
  for (const messages of packets) {
    for (const member of members) {
      actions.push({ kind: 'packet', to: member, messages, withChecksum: wantsChecksum(member) });
    }
  }
  return actions;
}

/** As few packets as the order allows; what is beyond the limit is left to those who tell it again. */
function packed(messages: readonly Uint8Array[], budgetBytes: number): Uint8Array[][] {
  const packets: Uint8Array[][] = [];
  let free = 0;
  for (const message of messages) {
    const cost = message.length + PART_OVERHEAD_BYTES;
    if (cost > free) {
      if (packets.length === MAX_NEWS_PACKETS) break;
      packets.push([]);
      free = budgetBytes;
    }
    packets.at(-1)?.push(message);
    free -= cost;
  }
  return packets;
}

export function queueUserMessage(state: SwimState, data: Uint8Array): SwimAction[] {
  state.userQueue.push(encodeMessage({ kind: 'user', data }));
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
