import type { WireLabels } from './query.ts';

/** Body of POST /api/v2/alerts: a list of these. Times are RFC 3339. */
export type PostableAlert = {
  readonly labels: WireLabels;
  readonly annotations?: WireLabels;
  readonly startsAt?: string;
  readonly endsAt?: string;
  readonly generatorURL?: string;
};

export type GettableAlert = {
  readonly annotations: WireLabels;
  readonly endsAt: string;
  readonly fingerprint: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly startsAt: string;
  readonly status: {
    readonly inhibitedBy: readonly string[];
    readonly mutedBy: readonly string[];
    readonly silencedBy: readonly string[];
    readonly state: 'unprocessed' | 'active' | 'suppressed';
  };
  readonly updatedAt: string;
  readonly generatorURL?: string;
  readonly labels: WireLabels;
};

export type WireMatcher = {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  /** Absent means true. */
  readonly isEqual?: boolean;
};

export type PostableSilence = {
  readonly id?: string;
  readonly matchers: readonly WireMatcher[];
  readonly startsAt: string;
  readonly endsAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations?: WireLabels;
};

export type GettableSilence = Omit<PostableSilence, 'id'> & {
  readonly id: string;
  readonly status: { readonly state: 'expired' | 'active' | 'pending' };
  readonly updatedAt: string;
};

export type AlertGroup = {
  readonly alerts: readonly GettableAlert[];
  readonly labels: WireLabels;
  readonly receiver: { readonly name: string };
};

/** GET /api/v2/status. */
export type AlertmanagerStatus = {
  readonly cluster: {
    readonly name?: string;
    readonly peers: readonly { readonly address: string; readonly name: string }[];
    readonly status: 'ready' | 'settling' | 'disabled';
  };
  readonly config: { readonly original: string };
  readonly uptime: string;
  readonly versionInfo: {
    readonly branch: string;
    readonly buildDate: string;
    readonly buildUser: string;
    readonly goVersion: string;
    readonly revision: string;
    readonly version: string;
  };
};
