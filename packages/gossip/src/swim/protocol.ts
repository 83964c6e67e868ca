import type { Message } from '../wire/messages.ts';
import type { PushedNode } from '../wire/stream.ts';
import type { Member } from './state.ts';

/** Where a packet goes. */
export type Destination = { readonly address: Uint8Array; readonly port: number };

/** What happens to a member. */
export type SwimEvent =
  /** Time has passed: do what is due. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly message: Message; readonly from: Destination }
  /** A push/pull brought another member's list. */
  | { readonly kind: 'merge'; readonly nodes: readonly PushedNode[] }
  /** The ping over TCP was answered. */
  | { readonly kind: 'tcpPong'; readonly sequence: number }
  /** A user message for everybody, small enough for packets: gossiped in the rounds. */
  | { readonly kind: 'broadcast'; readonly data: Uint8Array }
  /** The same, sent at once and only once. */
  | { readonly kind: 'news'; readonly data: Uint8Array }
  /** A connection to a member was refused: it is asked at once whether it lives. */
  | { readonly kind: 'doubt'; readonly node: string }
  | { readonly kind: 'leave' };

/** What the shell is asked to do. */
export type SwimAction =
  | {
      readonly kind: 'packet';
      readonly to: Destination;
      readonly messages: readonly Uint8Array[];
      readonly withChecksum: boolean;
    }
  | {
      readonly kind: 'tcpPing';
      readonly to: Destination;
      readonly node: string;
      readonly sequence: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'pushPull'; readonly to: Destination; readonly node: string }
  /** A user message arrived. */
  | { readonly kind: 'deliver'; readonly data: Uint8Array; readonly from: Destination }
  | { readonly kind: 'joined' | 'left' | 'updated'; readonly member: Member }
  | { readonly kind: 'alive'; readonly node: string }
  /** Somebody else has the name of a member that is alive. */
  | { readonly kind: 'conflict'; readonly node: string; readonly at: Destination }
  | { readonly kind: 'pong'; readonly node: string; readonly roundTripMs: number }
  | { readonly kind: 'pruned'; readonly count: number }
  /** Nothing more is to be sent: the leave has been told often enough, or its time is over. */
  | { readonly kind: 'leaveDone' }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn';
      readonly text: string;
      readonly node: string;
    };
