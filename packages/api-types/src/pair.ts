/** The JSON data of the gateway's `/api/v1/pollux/pair`: every group and member as the gateway sees it now. */
export type PairStatus = {
  readonly nowMs: number;
  readonly groups: readonly GroupStatus[];
};

export type GroupStatus = {
  readonly name: string;
  readonly kind: 'server' | 'alertmanager' | 'store';
  readonly members: readonly MemberStatus[];
};

export type MemberStatus = {
  readonly name: string;
  readonly url: string;
  readonly isUp: boolean;
  readonly lastError: string;
  /** Wall clock of the last successful check, ms; 0 for never. */
  readonly lastUpMs: number;
  /** Null for members that keep no coverage. Flat: start, end … in ms, within the last hour. */
  readonly gaps: readonly number[] | null;
  readonly configIdentity: string | null;
  /** What the member says of itself; null when it says nothing. */
  readonly details: RoleStatus | null;
};

/** The JSON of `/api/v1/pollux/status`, which each role answers for itself. */
export type RoleStatus = ServerStatus | AlertmanagerStatus | StoreStatus;

export type ServerStatus = {
  readonly role: 'server';
  readonly version: string;
  readonly startedMs: number;
  readonly headSeries: number;
  readonly targetsUp: number;
  readonly targetsDown: number;
  readonly remoteWrites: readonly {
    readonly name: string;
    /** Seconds between the newest sample taken in and the newest one that the store acknowledged. */
    readonly lagSeconds: number;
    readonly pendingSamples: number;
  }[];
  /** Of times in which it was down, from a twin; null where no twin is configured. */
  readonly healing: HealingStatus | null;
};

export type HealingStatus = {
  /** `waiting`: something is missing, and no twin can give it now. */
  readonly state: 'idle' | 'healing' | 'waiting';
  readonly missingSeconds: number;
  readonly healedSeconds: number;
  /** Why the last attempt failed; empty after one that did not. */
  readonly lastError: string;
};

export type AlertmanagerStatus = {
  readonly role: 'alertmanager';
  readonly version: string;
  readonly startedMs: number;
  readonly clusterStatus: string;
  readonly position: number;
  readonly members: readonly { readonly name: string; readonly address: string }[];
};

export type StoreStatus = {
  readonly role: 'store';
  readonly version: string;
  readonly startedMs: number;
  /** Newest sample time (ms) that each writer's copy holds. */
  readonly watermarks: readonly { readonly replica: string; readonly newestMs: number }[];
};
