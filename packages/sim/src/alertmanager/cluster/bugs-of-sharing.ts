import type { Env, Net } from '@pollux/base';
import { GossipNode, type StateChannel, type StatePart } from '@pollux/gossip';
import { vi } from 'vitest';
import { withRequest } from './bugs-of-telling.ts';

const DEAF_AFTER_MS = 30_000;

/** Members keep this state to themselves. */
export function notShared(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    if (name !== key) return addState.call(this, name, part);
    addState.call(this, name, { marshal: () => new Uint8Array(0), merge: () => {} });
    return { broadcast: () => {} };
  });
}

/** Changes reach others with exchanges of whole states only. */
export function notTold(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    const channel = addState.call(this, name, part);
    return name === key ? { broadcast: () => {} } : channel;
  });
}

/** Changes reach others, whole states are empty. */
export function notExchanged(key: string): void {
  const addState = GossipNode.prototype.addState;
  vi.spyOn(GossipNode.prototype, 'addState').mockImplementation(function (
    this: GossipNode,
    name: string,
    part: StatePart,
  ): StateChannel {
    if (name !== key) return addState.call(this, name, part);
    const merge: StatePart['merge'] = (data, holder) => part.merge(data, holder);
    return addState.call(this, name, { marshal: () => new Uint8Array(0), merge });
  });
}

/** All but the first wait for one member. */
export function oneTurnForAll(): void {
  const position = GossipNode.prototype.position;
  vi.spyOn(GossipNode.prototype, 'position').mockImplementation(function (this: GossipNode) {
    return Math.min(1, position.call(this));
  });
}

/** From then on a member hears nothing and answers nothing of the others'. */
export function deafAfterAWhile(env: Env): Env {
  const deafFromMs = env.clock.monotonic() + DEAF_AFTER_MS;
  const isDeaf = (): boolean => env.clock.monotonic() >= deafFromMs;
  const { net } = env;
  const deaf: Net = {
    ...withRequest(net, (asked) => net.request(asked)),
    bindUdp: (at, onPacket) =>
      net.bindUdp(at, (data, from) => {
        if (!isDeaf()) onPacket(data, from);
      }),
    listenTcp: (at, onConnection) =>
      net.listenTcp(at, (connection) => {
        if (!isDeaf()) onConnection(connection);
      }),
  };
  return { ...env, net: deaf };
}
