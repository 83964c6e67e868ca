/** Settings of the membership protocol; all durations in ms. Names and defaults are memberlist's LAN profile. */
export type SwimConfig = {
  readonly gossipIntervalMs: number;
  /** Own news are sent at most this often, so that many share a packet. */
  readonly newsGapMs: number;
  /** Members that each gossip round sends to. */
  readonly gossipNodes: number;
  readonly pushPullIntervalMs: number;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly indirectChecks: number;
  /** Transmissions of a membership message = mult × ceil(log10(n + 1)). */
  readonly retransmitMult: number;
  /** The same for user messages. */
  readonly userRetransmitMult: number;
  readonly suspicionMult: number;
  readonly suspicionMaxTimeoutMult: number;
  readonly awarenessMax: number;
  readonly gossipToTheDeadMs: number;
  /** Payload of a datagram. */
  readonly udpBytes: number;
  /** Bytes that the label takes from every packet. */
  readonly labelBytes: number;
  readonly leaveTimeoutMs: number;
  /** Queued user messages beyond this are pruned, oldest first. */
  readonly maxQueuedUserMessages: number;
};

export const LAN: SwimConfig = {
  gossipIntervalMs: 200,
  newsGapMs: 5,
  gossipNodes: 3,
  pushPullIntervalMs: 60_000,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  retransmitMult: 4,
  userRetransmitMult: 3,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  awarenessMax: 8,
  gossipToTheDeadMs: 30_000,
  udpBytes: 1_400,
  labelBytes: 0,
  leaveTimeoutMs: 10_000,
  maxQueuedUserMessages: 4_096,
};

/** What Alertmanager announces: protocol 1..5, speaking 2; no delegate versions. */
export const VERSIONS: Uint8Array = Uint8Array.from([1, 5, 2, 0, 0, 0]);
