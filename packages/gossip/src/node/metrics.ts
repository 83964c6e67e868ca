import type { Counter, Family, Gauge, Histogram, Registry } from '@pollux/telemetry';

const PING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5] as const;
const OVERSIZE_BOUNDS = [0.1, 0.5, 1, 3, 5, 10, 20, 60] as const;

const COUNTERS = {
  pruned: ['cluster_messages_pruned_total', 'Total number of cluster messages pruned.'],
  joined: ['cluster_peers_joined_total', 'A counter of the number of peers that have joined.'],
  left: ['cluster_peers_left_total', 'A counter of the number of peers that have left.'],
  updated: [
    'cluster_peers_update_total',
    'A counter of the number of peers that have updated metadata.',
  ],
  reconnections: [
    'cluster_reconnections_total',
    'A counter of the number of successful cluster peer reconnections.',
  ],
  reconnectionsFailed: [
    'cluster_reconnections_failed_total',
    'A counter of the number of failed cluster peer reconnection attempts.',
  ],
  refreshes: [
    'cluster_refresh_join_total',
    'A counter of the number of successful cluster peer joined via refresh.',
  ],
  refreshesFailed: [
    'cluster_refresh_join_failed_total',
    'A counter of the number of failed cluster peer joined via refresh attempts.',
  ],
  conflicts: [
    'cluster_peer_name_conflicts_total',
    'Total number of times memberlist has noticed conflicting peer names.',
  ],
} as const;

const FAMILIES = {
  received: [
    'cluster_messages_received_total',
    'Total number of cluster messages received.',
    'msg_type',
  ],
  receivedBytes: [
    'cluster_messages_received_size_total',
    'Total size of cluster messages received.',
    'msg_type',
  ],
  sent: ['cluster_messages_sent_total', 'Total number of cluster messages sent.', 'msg_type'],
  sentBytes: [
    'cluster_messages_sent_size_total',
    'Total size of cluster messages sent.',
    'msg_type',
  ],
  alive: ['cluster_alive_messages_total', 'Total number of received alive messages.', 'peer'],
  oversizeSent: [
    'oversized_gossip_message_sent_total',
    'Number of oversized gossip message sent.',
    'key',
  ],
  oversizeFailed: [
    'oversized_gossip_message_failure_total',
    'Number of oversized gossip message sends that failed.',
    'key',
  ],
  oversizeDropped: [
    'oversized_gossip_message_dropped_total',
    'Number of oversized gossip messages that were dropped due to a full message queue.',
    'key',
  ],
  refused: [
    'cluster_refused_input_total',
    'Packets, streams and messages refused, by reason.',
    'reason',
  ],
} as const;

/** What is read from the node when metrics are scraped. */
export type GossipGauges = {
  memberCount(): number;
  failedPeerCount(): number;
  position(): number;
  health(): number;
  queuedMessages(): number;
};

/** Alertmanager's cluster metrics under their names, and one of our own for what is refused. */
export class GossipMetrics {
  readonly received: Family<Counter>;
  readonly receivedBytes: Family<Counter>;
  readonly sent: Family<Counter>;
  readonly sentBytes: Family<Counter>;
  readonly pruned: Counter;
  readonly alive: Family<Counter>;
  readonly pings: Family<Histogram>;
  readonly joined: Counter;
  readonly left: Counter;
  readonly updated: Counter;
  readonly reconnections: Counter;
  readonly reconnectionsFailed: Counter;
  readonly refreshes: Counter;
  readonly refreshesFailed: Counter;
  readonly conflicts: Counter;
  readonly oversizeSent: Family<Counter>;
  readonly oversizeFailed: Family<Counter>;
  readonly oversizeDropped: Family<Counter>;
  readonly oversizeSeconds: Family<Histogram>;
  readonly refused: Family<Counter>;
  readonly #peerInfo: Family<Gauge>;

  constructor(registry: Registry, gauges: GossipGauges) {
    const counter = (key: keyof typeof COUNTERS): Counter => {
      const [name, help] = COUNTERS[key];
      return registry.counter(`alertmanager_${name}`, help);
    };
    const counters = (key: keyof typeof FAMILIES): Family<Counter> => {
      const [name, help, label] = FAMILIES[key];
      return registry.counters(`alertmanager_${name}`, help, [label]);
    };
    this.received = counters('received');
    this.receivedBytes = counters('receivedBytes');
    this.sent = counters('sent');
    this.sentBytes = counters('sentBytes');
    this.pruned = counter('pruned');
    this.alive = counters('alive');
    this.joined = counter('joined');
    this.left = counter('left');
    this.updated = counter('updated');
    this.reconnections = counter('reconnections');
    this.reconnectionsFailed = counter('reconnectionsFailed');
    this.refreshes = counter('refreshes');
    this.refreshesFailed = counter('refreshesFailed');
    this.conflicts = counter('conflicts');
    this.oversizeSent = counters('oversizeSent');
    this.oversizeFailed = counters('oversizeFailed');
    this.oversizeDropped = counters('oversizeDropped');
    this.refused = counters('refused');
    this.pings = registry.histograms(
      'alertmanager_cluster_pings_seconds',
      'Histogram of latencies for ping messages.',
      ['peer'],
      PING_BOUNDS,
    );
    this.oversizeSeconds = registry.histograms(
      'alertmanager_oversize_gossip_message_duration_seconds',
      'Duration of oversized gossip message requests.',
      ['key'],
      OVERSIZE_BOUNDS,
    );
    this.#peerInfo = registry.gauges(
      'alertmanager_cluster_peer_info',
      'A metric with a constant 1 value labeled by peer name.',
      ['peer'],
    );
    for (const type of ['full_state', 'update']) {
      for (const family of [this.received, this.receivedBytes, this.sent, this.sentBytes]) {
        family.with(type);
      }
    }
    registerGauges(registry, gauges);
  }

  /** Its series are there before anything oversized is sent. */
  introduceState(key: string): void {
    for (const family of [this.oversizeSent, this.oversizeFailed, this.oversizeDropped]) {
      family.with(key);
    }
    this.oversizeSeconds.with(key);
  }

  nameSelf(name: string): void {
    this.#peerInfo.with(name).set(1);
  }

  forgetPeer(name: string): void {
    this.alive.remove(name);
    this.pings.remove(name);
  }
}

function registerGauges(registry: Registry, gauges: GossipGauges): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.gaugeFrom(`alertmanager_${name}`, help, read);
  gauge('cluster_enabled', 'Indicates whether the clustering is enabled or not.', () => 1);
  gauge(
    'cluster_members',
    'Number indicating current number of members in cluster.',
    gauges.memberCount,
  );
  gauge(
    'cluster_failed_peers',
    'Number indicating the current number of failed peers in the cluster.',
    gauges.failedPeerCount,
  );
  gauge(
    'peer_position',
    "Position the Alertmanager instance believes it's in. The position determines a peer's behavior in the cluster.",
    gauges.position,
  );
  gauge(
    'cluster_health_score',
    "Health score of the cluster. Lower values are better and zero means 'totally healthy'.",
    gauges.health,
  );
  gauge(
    'cluster_messages_queued',
    'Number of cluster messages which are queued.',
    gauges.queuedMessages,
  );
}
