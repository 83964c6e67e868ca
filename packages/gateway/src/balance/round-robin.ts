import type { Peer } from './peer.ts';

/**
 * Smooth weighted round robin: every member gains its weight, the richest is chosen and pays what all gained. Members of weights
 * 5, 1 and 1 come as a a b a c a a, not as a a a a a b c. The first of equals is chosen.
 */
export function chooseInTurn<M>(peers: readonly Peer<M>[]): Peer<M> | null {
  let best: Peer<M> | null = null;
  let total = 0;
  for (const peer of peers) {
    peer.currentWeight += peer.effectiveWeight;
    total += peer.effectiveWeight;
    if (peer.effectiveWeight < peer.settings.weight) peer.effectiveWeight++;
    if (best === null || peer.currentWeight > best.currentWeight) best = peer;
  }
  if (best !== null) best.currentWeight -= total;
  return best;
}

/** The member with the fewest requests under way for its weight; equals take turns. */
export function chooseLeastConnected<M>(peers: readonly Peer<M>[]): Peer<M> | null {
  let least: Peer<M>[] = [];
  for (const peer of peers) {
    const first = least[0];
    // Compared across: load / weight would round.
    const difference =
      first === undefined
        ? -1
        : peer.connCount * first.settings.weight - first.connCount * peer.settings.weight;
    if (difference < 0) least = [peer];
    else if (difference === 0) least.push(peer);
  }
  return least.length === 1 ? least[0]! : chooseInTurn(least);
}
