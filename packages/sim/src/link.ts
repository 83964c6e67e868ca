import type { Clock, Random } from '@pollux/base';

/** How packets fare between two hosts. */
export type Link = {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Share of datagrams that are lost, 0..1. Streams are only delayed: TCP sends again. */
  readonly loss: number;
  /** Share of datagrams that arrive twice. */
  readonly duplication: number;
  /** Nothing passes until it is healed. */
  readonly isCut: boolean;
};

export const GOOD_LINK: Link = {
  minDelayMs: 0.2,
  maxDelayMs: 2,
  loss: 0,
  duplication: 0,
  isCut: false,
};

/** What one end of a stream needs of the network around it. */
export interface Wires {
  readonly clock: Clock;
  readonly random: Random;
  /** The link that packets take from one address to another. */
  link(from: string, to: string): Link;
  /** A delay drawn from that link, ms. */
  delayMs(from: string, to: string): number;
  /** For how long the host at an address takes in nothing, as it gets no processor time; 0 for one that runs, ms. */
  stalledMs(to: string): number;
}
