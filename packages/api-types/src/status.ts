/** `data` of /api/v1/status/buildinfo. */
export type BuildInfo = {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
  readonly goVersion: string;
};

/** `data` of /api/v1/status/runtimeinfo. */
export type RuntimeInfo = {
  readonly startTime: string;
  readonly CWD: string;
  readonly hostname: string;
  readonly serverTime: string;
  readonly reloadConfigSuccess: boolean;
  readonly lastConfigTime: string;
  readonly corruptionCount: number;
  readonly goroutineCount: number;
  readonly GOMAXPROCS: number;
  readonly GOMEMLIMIT: number;
  readonly GOGC: string;
  readonly GODEBUG: string;
  readonly storageRetention: string;
};

export type NameValue = { readonly name: string; readonly value: number };

/** `data` of /api/v1/status/tsdb. */
export type TsdbStatus = {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly NameValue[];
  readonly labelValueCountByLabelName: readonly NameValue[];
  readonly memoryInBytesByLabelName: readonly NameValue[];
  readonly seriesCountByLabelValuePair: readonly NameValue[];
  /** Beyond the peer: the head over the last day, oldest first; times in seconds. */
  readonly history?: readonly {
    readonly time: number;
    readonly series: number;
    readonly chunks: number;
  }[];
};

/** `data` of /api/v1/pollux/cardinality: the largest names, or those that grew most since a time. */
export type CardinalityData = {
  readonly by: 'metric' | 'label' | 'job';
  /** Time of the values in `before`, in seconds; null when none was asked for or nothing that old is kept. */
  readonly since: number | null;
  readonly entries: readonly {
    readonly name: string;
    /** Series; of a label its values. */
    readonly value: number;
    /** Null where it was not kept. */
    readonly before: number | null;
  }[];
};

/** `data` of /api/v1/status/walreplay. */
export type WalReplayStatus = {
  readonly min: number;
  readonly max: number;
  readonly current: number;
};

/** One element of /api/v1/notifications. */
export type WireNotification = {
  readonly text: string;
  readonly date: string;
  readonly active: boolean;
};
