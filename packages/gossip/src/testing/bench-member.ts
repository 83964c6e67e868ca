import { SeededRandom } from '@pollux/base';
import { expect } from 'vitest';
import { LAN, type SwimConfig, VERSIONS } from '../swim/config.ts';
import type { SwimAction, SwimEvent } from '../swim/protocol.ts';
import { createState, type SwimState } from '../swim/state.ts';
import { nextDueMs, step } from '../swim/step.ts';
import type { AliveMessage, Message } from '../wire/messages.ts';
import { decodePacket, encodePacket } from '../wire/packet.ts';

type Sent = { readonly atMs: number; readonly to: number; readonly messages: readonly Message[] };

/** One member on a bench: time moves by hand, what it does is kept. Members are named by their ports. */
export class BenchMember {
  readonly state: SwimState;
  readonly sent: Sent[] = [];
  readonly actions: { readonly atMs: number; readonly action: SwimAction }[] = [];
  nowMs = 0;

  constructor(name: string, port: number, config: Partial<SwimConfig> = {}) {
    const identity = { name, address: ip(port), port };
    this.state = createState(identity, { ...LAN, ...config }, new SeededRandom(port), 0);
  }

  do(event: SwimEvent): SwimAction[] {
    const actions = step(this.state, event, this.nowMs);
    for (const action of actions) {
      this.actions.push({ atMs: this.nowMs, action });
      if (action.kind !== 'packet') continue;
      const packet = encodePacket(action.messages, {
        withChecksum: action.withChecksum,
        label: '',
      });
      expect(packet.length).toBeLessThanOrEqual(1_405);
      const { messages, errors } = decodePacket(packet, '');
      expect(errors).toEqual([]);
      this.sent.push({ atMs: this.nowMs, to: action.to.port, messages });
    }
    return actions;
  }

  hear(message: Message, fromPort = 9): SwimAction[] {
    return this.do({ kind: 'message', message, from: { address: ip(fromPort), port: fromPort } });
  }

  /** Runs to `untilMs`, ticking when something is due. */
  run(untilMs: number): void {
    for (;;) {
      const dueMs = nextDueMs(this.state);
      if (dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.do({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  member(name: string): string | undefined {
    return this.state.members.get(name)?.state;
  }

  /** When a message of this kind about this member was first sent. */
  firstSent(kind: Message['kind'], node: string): number | undefined {
    return this.sent.find(({ messages }) =>
      messages.some(
        (message) => message.kind === kind && 'node' in message && message.node === node,
      ),
    )?.atMs;
  }

  first(kind: SwimAction['kind']): number | undefined {
    return this.actions.find(({ action }) => action.kind === kind)?.atMs;
  }
}

export function ip(port: number): Uint8Array {
  return Uint8Array.of(10, 0, 0, port);
}

export function alive(node: string, port: number, incarnation = 1): AliveMessage {
  return {
    kind: 'alive',
    node,
    port,
    incarnation,
    address: ip(port),
    meta: new Uint8Array(0),
    versions: VERSIONS,
  };
}
