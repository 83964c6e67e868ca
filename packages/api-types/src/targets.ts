import type { WireLabels } from './query.ts';

export type TargetHealth = 'unknown' | 'up' | 'down';

export type WireTarget = {
  readonly discoveredLabels: WireLabels;
  readonly labels: WireLabels;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  /** RFC 3339. */
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  readonly health: TargetHealth;
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
};

export type WireDroppedTarget = {
  readonly discoveredLabels: WireLabels;
  readonly scrapePool: string;
};

/** `data` of /api/v1/targets. */
export type TargetDiscovery = {
  readonly activeTargets: readonly WireTarget[];
  readonly droppedTargets: readonly WireDroppedTarget[];
  /** Per scrape pool. */
  readonly droppedTargetCounts: Readonly<Record<string, number>>;
};

/** One element of /api/v1/targets/metadata. */
export type WireTargetMetadata = {
  readonly target: WireLabels;
  /** Absent when one metric was asked for. */
  readonly metric?: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
};

/** `data` of /api/v1/metadata: per metric name. */
export type WireMetadata = Readonly<
  Record<string, readonly { readonly type: string; readonly help: string; readonly unit: string }[]>
>;

/** `data` of /api/v1/alertmanagers. */
export type AlertmanagerDiscoveryData = {
  readonly activeAlertmanagers: readonly { readonly url: string }[];
  readonly droppedAlertmanagers: readonly { readonly url: string }[];
};
