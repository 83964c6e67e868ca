import type {
  BuildInfo,
  CardinalityData,
  RuntimeInfo,
  TsdbStatus,
  WalReplayStatus,
} from '@pollux/api-types';
import type { StopSignal } from '@pollux/base';
import type { Labels, Matcher, Metadata } from '@pollux/model';
import type { ActiveQuery, EncodedAnswer, QueryOrigin, QueryStats } from '@pollux/promql';
import type { Annotation, TimeRange } from '@pollux/storage';

/** Runs queries and gives the answer as JSON; in this thread or in a worker. */
export interface QueryPort {
  /** Rejects with QueryError. */
  run(request: QueryPortRequest): Promise<QueryPortAnswer>;
}

export type QueryPortRequest = {
  readonly query: string;
  /** Null: the engine's own. */
  readonly lookbackMs: number | null;
  readonly timeoutMs: number | null;
  /** Most series of the answer; 0 for all. */
  readonly limit: number;
  readonly times:
    | { readonly kind: 'instant'; readonly timeMs: number }
    | {
        readonly kind: 'range';
        readonly startMs: number;
        readonly endMs: number;
        readonly stepMs: number;
      };
  readonly signal: StopSignal;
  readonly origin: QueryOrigin;
  /** Evaluate all of it: `nocache=1`, a header, or figures are asked for. */
  readonly skipsCache: boolean;
  /** `stats=all`. */
  readonly perStepStats: boolean;
  /** Figures are asked for: all samples that Prometheus would count are counted. */
  readonly countsAll: boolean;
};

/** The queries that wait or run, of people and rules. */
export interface ActiveQueriesPort {
  /** In the order in which they arrived. */
  list(): readonly ActiveQuery[];
  /** False when there is none of this id. */
  kill(id: string): boolean;
}

export type QueryPortAnswer = {
  /** `{"resultType":…,"result":…}`. */
  readonly body: EncodedAnswer['body'];
  readonly annotations: readonly Annotation[];
  readonly isTruncated: boolean;
  readonly figures: QueryFigures;
};

/** What the API tells as `stats`. */
export type QueryFigures = QueryStats;

/** Who knows metadata of metric families, by name. */
export type MetadataSource = {
  metadata(): Iterable<readonly [metric: string, metadata: Metadata]>;
};

export type TargetView = MetadataSource & {
  readonly scrapePool: string;
  readonly discoveredLabels: Labels;
  readonly labels: Labels;
  readonly scrapeUrl: string;
  /** The URL with a host that is reachable from elsewhere. */
  readonly globalUrl: string;
  readonly lastError: string;
  /** Null before the first scrape. */
  readonly lastScrapeMs: number | null;
  readonly lastScrapeDurationSeconds: number;
  readonly health: 'unknown' | 'up' | 'down';
  readonly intervalMs: number;
  readonly timeoutMs: number;
};

export type DroppedTargetView = { readonly scrapePool: string; readonly discoveredLabels: Labels };

export interface TargetsPort {
  /** Sorted names of the scrape pools. */
  pools(): readonly string[];
  /** In the order of pools. */
  active(): readonly TargetView[];
  dropped(): readonly DroppedTargetView[];
  /** Per pool, those not kept in {@link dropped} included. */
  droppedCounts(): Readonly<Record<string, number>>;
}

export type AlertView = {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: 'pending' | 'firing';
  readonly activeAtMs: number;
  readonly keepFiringSinceMs: number | null;
  readonly value: number;
};

type CommonRuleView = {
  readonly name: string;
  readonly query: string;
  readonly labels: Labels;
  readonly health: 'unknown' | 'ok' | 'err';
  readonly lastError: string;
  readonly evaluationSeconds: number;
  readonly lastEvaluationMs: number | null;
};

export type RuleView =
  | (CommonRuleView & { readonly kind: 'recording' })
  | (CommonRuleView & {
      readonly kind: 'alerting';
      readonly state: 'unknown' | 'inactive' | 'pending' | 'firing';
      readonly forMs: number;
      readonly keepFiringForMs: number;
      readonly annotations: Labels;
      readonly alerts: readonly AlertView[];
    });

export type RuleGroupView = {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly evaluationSeconds: number;
  readonly lastEvaluationMs: number | null;
  readonly rules: readonly RuleView[];
};

export interface RulesPort {
  /** Sorted by file, then name. */
  groups(): readonly RuleGroupView[];
}

export interface AlertmanagersPort {
  /** URLs that alerts are posted to, and those that relabelling dropped. */
  alertmanagers(): { readonly active: readonly string[]; readonly dropped: readonly string[] };
}

export interface StatusPort {
  readonly buildInfo: BuildInfo;
  /** The running configuration as YAML, secrets as `<secret>`. */
  configYaml(): string;
  /** Flag names without dashes, and their values. */
  flags(): Readonly<Record<string, string>>;
  runtimeInfo(): RuntimeInfo;
  /** At most `limit` rows per table. */
  tsdb(limit: number): Promise<TsdbStatus>;
  /** Given `sinceMs`, the names that have grown most since. */
  cardinality(by: CardinalityData['by'], limit: number, sinceMs: number | null): CardinalityData;
  walReplay(): WalReplayStatus;
  /** Category → feature → on. */
  features(): Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  /** What a role says of itself for the console: any JSON. */
  details?(): unknown;
}

export interface AdminPort {
  deleteSeries(range: TimeRange, matchers: readonly Matcher[]): Promise<void>;
  cleanTombstones(): Promise<void>;
  /** Gives the snapshot's name. */
  snapshot(skipHead: boolean): Promise<string>;
}

export interface LifecyclePort {
  /** Rejects with what is wrong with the configuration; the old one then runs on. */
  reload(): Promise<void>;
  /** Begins the end of the process; returns at once. */
  quit(): void;
}

export interface CoveragePort {
  /** The header for an answer from these selectors' samples in the window; null for none. */
  describe(selectors: readonly (readonly Matcher[])[], minMs: number, maxMs: number): string | null;
  /** The whole report for the window, as bare JSON; null bounds are open. */
  report(startMs: number | null, endMs: number | null): unknown;
}
