/** What history keeps, in the order of their codes in the file. New kinds are added at the end. */
export const HISTORY_KINDS = [
  'alert',
  'notification',
  'silence',
  'acknowledgement',
  'reload',
] as const;

export type HistoryKind = (typeof HISTORY_KINDS)[number];

type LabelMap = Readonly<Record<string, string>>;

/** What an alert did. */
export type AlertRecord = {
  readonly change: 'fired' | 'resolved' | 'timed out';
  readonly fingerprint: string;
  readonly labels: LabelMap;
  readonly annotations: LabelMap;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
};

/** One notification of this member as it ended. */
export type NotificationRecord = {
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly groupLabels: LabelMap;
  readonly reason: string;
  readonly result: 'sent' | 'failed' | 'sent by another member';
  /** Empty when sent. Holds no secrets: errors of receivers name origins only. */
  readonly error: string;
  /** Requests made. */
  readonly attempts: number;
  readonly durationMs: number;
  readonly firing: number;
  readonly resolved: number;
  /** The first hundred. */
  readonly alerts: readonly {
    readonly fingerprint: string;
    readonly status: 'firing' | 'resolved';
    readonly labels: LabelMap;
  }[];
};

export type SilenceRecord = {
  readonly change: 'created' | 'edited' | 'expired';
  readonly silenceId: string;
  /** The user who is logged in where it was made; empty when nobody is or when it was made elsewhere. */
  readonly by: string;
  readonly matchers: readonly string[];
  readonly createdBy: string;
  readonly comment: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** Whether this member made the change or heard of it from another. */
  readonly origin: 'here' | 'cluster';
};

export type AcknowledgementRecord = {
  readonly change: 'created' | 'ended';
  readonly acknowledgementId: string;
  readonly owner: string;
  readonly note: string;
  readonly matchers: readonly string[];
  /** Empty unless it is for one alert. */
  readonly fingerprint: string;
  /** Empty unless it is for one group. */
  readonly groupKey: string;
  readonly until: string | null;
  readonly origin: 'here' | 'cluster';
};

export type ReloadRecord = {
  readonly result: 'succeeded' | 'failed';
  readonly error: string;
};

export type HistoryBody =
  | ({ readonly kind: 'alert' } & AlertRecord)
  | ({ readonly kind: 'notification' } & NotificationRecord)
  | ({ readonly kind: 'silence' } & SilenceRecord)
  | ({ readonly kind: 'acknowledgement' } & AcknowledgementRecord)
  | ({ readonly kind: 'reload' } & ReloadRecord);

/** A record as it is found: with its number, which grows with each record, its time and the member that wrote it. */
export type HistoryRecord = {
  readonly id: number;
  readonly time: string;
  readonly member: string;
} & HistoryBody;
