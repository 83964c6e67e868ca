import { Labels, type Matcher, matchesAll } from '@pollux/model';
import { readAlertRecord } from './alert-record.ts';
import { HISTORY_KINDS, type HistoryBody, type HistoryKind, type HistoryRecord } from './record.ts';
import { ALERTS_KIND, type RecordView } from './record-frames.ts';

const ALERT = HISTORY_KINDS.indexOf('alert');

/** What is looked for; every part narrows. */
export type HistoryQuery = {
  /** Inclusive, ms. */
  readonly fromMs: number;
  /** Inclusive, ms. */
  readonly untilMs: number;
  /** Null for all. */
  readonly kinds: ReadonlySet<HistoryKind> | null;
  /** On the labels of the alert, of one of the notification's alerts, or one of the matchers of a silence. */
  readonly matchers: readonly Matcher[];
  /** Empty for all. */
  readonly receiver: string;
  /** `webhook[0]`; empty for all. */
  readonly integration: string;
  readonly groupKey: string;
  readonly fingerprint: string;
  /** A notification's or reload's result, an alert's, silence's or acknowledgement's change; empty for all. */
  readonly result: string;
  /** Anywhere in the record, in any case; empty for all. */
  readonly text: string;
  /** Only records with a lower number. */
  readonly beforeId: number;
};

export const EVERYTHING: HistoryQuery = {
  fromMs: -Infinity,
  untilMs: Infinity,
  kinds: null,
  matchers: [],
  receiver: '',
  integration: '',
  groupKey: '',
  fingerprint: '',
  result: '',
  text: '',
  beforeId: Infinity,
};

/** Looks at frames, dear steps last: head, bytes that must occur, then the parsed record. */
export class HistoryTest {
  readonly #query: HistoryQuery;
  readonly #kindCodes: ReadonlySet<number>;
  readonly #needles: readonly Buffer[];
  /** Of alerts that are kept as bytes; null when none of them can be one of those looked for. */
  readonly #alertNeedles: readonly Buffer[] | null;
  readonly #text: string;

  constructor(query: HistoryQuery) {
    this.#query = query;
    const kinds = query.kinds ?? new Set(HISTORY_KINDS);
    this.#kindCodes = new Set([...kinds].map((kind) => HISTORY_KINDS.indexOf(kind)));
    // Within the matchers of a silence what needs an escape is escaped twice.
    const values = query.matchers
      .filter(({ operator, value }) => operator === '=' && value !== '' && spelled(value) === value)
      .map(({ value }) => value);
    const ofNotification = [query.receiver, query.integration, query.groupKey];
    this.#needles = needlesOf([...values, ...ofNotification, query.fingerprint, query.result]);
    const areAlerts = this.#kindCodes.has(ALERT) && ofNotification.every((text) => text === '');
    this.#alertNeedles = areAlerts ? needlesOf([...values, query.fingerprint]) : null;
    this.#text = spelled(query.text).toLowerCase();
  }

  /** The record when it is one of those looked for. */
  take(view: RecordView): HistoryRecord | null {
    const { id, body, frame } = view;
    const { timeMs, kindCode } = frame;
    if (!this.#isInRange(id, timeMs)) return null;
    if (kindCode === ALERTS_KIND) return this.#takeAlert(view);
    if (!this.#kindCodes.has(kindCode)) return null;
    if (this.#needles.some((needle) => !body.includes(needle))) return null;
    if (!frame.isSound) return null;
    const json = body.toString();
    if (this.#text !== '' && !json.toLowerCase().includes(this.#text)) return null;
    const kind = HISTORY_KINDS[kindCode];
    if (kind === undefined) return null;
    return this.#taken({
      id,
      kind,
      time: new Date(timeMs).toISOString(),
      ...(JSON.parse(json) as object),
    } as HistoryRecord);
  }

  #takeAlert({ id, frame, member, body }: RecordView): HistoryRecord | null {
    if (this.#alertNeedles === null) return null;
    if (this.#alertNeedles.some((needle) => !body.includes(needle)) || !frame.isSound) return null;
    const fields = { member, ...readAlertRecord(body) };
    if (this.#text !== '' && !JSON.stringify(fields).toLowerCase().includes(this.#text))
      return null;
    return this.#taken({
      id,
      kind: 'alert',
      time: new Date(frame.timeMs).toISOString(),
      ...fields,
    });
  }

  /** As {@link take}, for a record that is not yet written. */
  takePending(record: HistoryRecord, timeMs: number): HistoryRecord | null {
    if (!this.#isInRange(record.id, timeMs)) return null;
    if (!this.#kindCodes.has(HISTORY_KINDS.indexOf(record.kind))) return null;
    if (this.#text !== '' && !JSON.stringify(record).toLowerCase().includes(this.#text))
      return null;
    return this.#taken(record);
  }

  #isInRange(id: number, timeMs: number): boolean {
    const { beforeId, fromMs, untilMs } = this.#query;
    return id < beforeId && timeMs >= fromMs && timeMs <= untilMs;
  }

  #taken(record: HistoryRecord): HistoryRecord | null {
    const { receiver, integration, groupKey, fingerprint, result, matchers } = this.#query;
    if (receiver !== '' && textOf(record, 'receiver') !== receiver) return null;
    if (integration !== '' && textOf(record, 'integration') !== integration) return null;
    if (groupKey !== '' && textOf(record, 'groupKey') !== groupKey) return null;
    if (fingerprint !== '' && !hasFingerprint(record, fingerprint)) return null;
    if (result !== '' && outcomeOf(record) !== result) return null;
    return matchers.length === 0 || hasLabels(record, matchers) ? record : null;
  }
}

function textOf(record: HistoryBody, field: 'receiver' | 'integration' | 'groupKey'): string {
  return record.kind === 'notification' ? record[field] : '';
}

function outcomeOf(record: HistoryBody): string {
  return 'result' in record ? record.result : record.change;
}

function hasFingerprint(record: HistoryBody, fingerprint: string): boolean {
  if ('fingerprint' in record) return record.fingerprint === fingerprint;
  return (
    record.kind === 'notification' &&
    record.alerts.some((alert) => alert.fingerprint === fingerprint)
  );
}

function hasLabels(record: HistoryBody, matchers: readonly Matcher[]): boolean {
  switch (record.kind) {
    case 'alert':
      return matchesAll(matchers, Labels.from(record.labels));
    case 'notification':
      return record.alerts.some(({ labels }) => matchesAll(matchers, Labels.from(labels)));
    case 'silence':
    case 'acknowledgement':
      return matchers.every((matcher) => record.matchers.includes(matcher.toString()));
    case 'reload':
      return false;
  }
}

/** Bytes of which each must occur. */
function needlesOf(texts: readonly string[]): Buffer[] {
  return texts.filter((text) => text !== '').map((text) => Buffer.from(spelled(text)));
}

/** As JSON spells it within quotes. */
function spelled(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
