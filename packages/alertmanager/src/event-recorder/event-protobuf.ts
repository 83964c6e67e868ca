import { assert } from '@pollux/base';
import { MessageWriter } from '../wire/protobuf.ts';
import { fromMs, type WireTime } from '../wire/timestamp.ts';

type Message = { readonly kind: 'message'; readonly fields: Readonly<Record<string, Field>> };
type Kind =
  | { readonly kind: 'text' | 'integer' | 'time' | 'duration' }
  | { readonly kind: 'enum'; readonly words: readonly string[] }
  | Message;
/** Its number and what it holds; as a list where the value is one. */
type Field = readonly [number: number, kind: Kind];

const TEXT = { kind: 'text' } as const;
/** Of any width, and truth: as texts, as numbers or as true in JSON. */
const INTEGER = { kind: 'integer' } as const;
const TIME = { kind: 'time' } as const;
const DURATION = { kind: 'duration' } as const;

/** By the names of JSON, in the order of the numbers. */
function message(fields: Message['fields']): Message {
  return { kind: 'message', fields };
}

/** Their numbers are their places. */
function words(...names: readonly string[]): Kind {
  return { kind: 'enum', words: names };
}

const LABELS = message({ labels: [1, message({ key: [1, TEXT], value: [2, TEXT] })] });
const ALERT = message({
  fingerprint: [1, INTEGER],
  name: [2, TEXT],
  labels: [3, LABELS],
  annotations: [4, LABELS],
  startsAt: [5, TIME],
  endsAt: [6, TIME],
  resolved: [7, INTEGER],
});
const GROUPED_ALERT = message({ hash: [1, INTEGER], details: [2, ALERT] });
const MATCHER = message({
  type: [
    1,
    words('TYPE_UNSPECIFIED', 'TYPE_EQUAL', 'TYPE_REGEXP', 'TYPE_NOT_EQUAL', 'TYPE_NOT_REGEXP'),
  ],
  name: [2, TEXT],
  pattern: [3, TEXT],
  rendered: [4, TEXT],
});
const GROUP = message({
  groupKey: [1, TEXT],
  groupLabels: [2, LABELS],
  groupId: [3, TEXT],
  receiverName: [4, TEXT],
  matchers: [5, MATCHER],
});
const ALERT_IN_GROUP = message({ alert: [1, GROUPED_ALERT], groupInfo: [2, GROUP] });
const REASON = words(
  'NOTIFY_REASON_UNSPECIFIED',
  'NOTIFY_REASON_FIRST_NOTIFICATION',
  'NOTIFY_REASON_NEW_ALERTS_IN_GROUP',
  'NOTIFY_REASON_NEW_RESOLVED_ALERTS',
  'NOTIFY_REASON_ALL_ALERTS_RESOLVED',
  'NOTIFY_REASON_REPEAT_INTERVAL_ELAPSED',
);
const NOTIFICATION = message({
  alerts: [1, GROUPED_ALERT],
  firingAlerts: [2, GROUPED_ALERT],
  resolvedAlerts: [3, GROUPED_ALERT],
  mutedAlerts: [4, GROUPED_ALERT],
  groupInfo: [5, GROUP],
  repeatInterval: [6, DURATION],
  reason: [7, REASON],
  flushId: [8, INTEGER],
  integration: [9, message({ name: [1, TEXT], index: [2, INTEGER] })],
});
const SILENCE = message({
  id: [1, TEXT],
  matchers: [2, MATCHER],
  annotations: [3, LABELS],
  startsAt: [4, TIME],
  endsAt: [5, TIME],
  updatedAt: [6, TIME],
  createdBy: [7, TEXT],
  comment: [8, TEXT],
  matcherSets: [9, message({ matchers: [1, MATCHER] })],
});
const OF_SILENCE = message({ silence: [1, SILENCE] });
const MUTED_ALERT = message({ labels: [1, LABELS], fingerprint: [2, INTEGER] });
const INHIBIT_RULE = message({
  sourceMatchers: [1, MATCHER],
  targetMatchers: [2, MATCHER],
  equalLabels: [3, TEXT],
  name: [4, TEXT],
});
const DATA = message({
  alertmanagerStartupEvent: [1, message({ version: [1, TEXT], buildContext: [2, TEXT] })],
  alertmanagerShutdownEvent: [2, message({})],
  alertCreated: [3, message({ alert: [1, ALERT] })],
  alertResolved: [4, ALERT_IN_GROUP],
  alertGrouped: [5, ALERT_IN_GROUP],
  notification: [6, NOTIFICATION],
  silenceCreated: [7, OF_SILENCE],
  silenceUpdated: [8, OF_SILENCE],
  silenceMutedAlert: [9, message({ silence: [1, SILENCE], mutedAlert: [2, MUTED_ALERT] })],
  inhibitionMutedAlert: [
    10,
    message({
      inhibitRules: [1, INHIBIT_RULE],
      mutedAlert: [2, MUTED_ALERT],
      inhibitingFingerprints: [3, INTEGER],
    }),
  ],
});
/** Upstream's `eventrecorderpb.Event`. */
const EVENT = message({
  '@timestamp': [1, TIME],
  instance: [2, TEXT],
  data: [3, DATA],
  clusterPosition: [4, INTEGER],
});

/** The binary form of an event whose JSON form that is: protobuf's JSON says the same in other words. */
export function eventProtobuf(event: object): Uint8Array {
  return encode(event, EVENT);
}

function encode(value: unknown, { fields }: Message): Uint8Array {
  const content = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(content)) assert(name in fields, `BUG: no number for ${name}`);
  const writer = new MessageWriter();
  for (const [name, [number, kind]] of Object.entries(fields)) {
    const found = content[name];
    if (found === undefined) continue;
    if (!Array.isArray(found)) writeOne(writer, number, found, kind);
    else if (kind.kind === 'integer') writer.packedUint64(number, found.map(unsigned));
    else for (const item of found) writeOne(writer, number, item, kind);
  }
  return writer.take();
}

function writeOne(writer: MessageWriter, number: number, value: unknown, kind: Kind): void {
  switch (kind.kind) {
    case 'text':
      writer.text(number, String(value));
      return;
    case 'integer':
      writer.uint64(number, unsigned(value));
      return;
    case 'time':
      writer.time(number, fromMs(Date.parse(String(value))));
      return;
    case 'duration':
      writer.time(number, durationOf(String(value)));
      return;
    case 'enum': {
      const place = kind.words.indexOf(String(value));
      assert(place >= 0, `BUG: no number for ${String(value)}`);
      writer.integer(number, place);
      return;
    }
    case 'message':
      writer.message(number, encode(value, kind));
      return;
  }
}

function unsigned(value: unknown): bigint {
  return BigInt(value as string | number | boolean);
}

/** `14400s`: a Duration has the fields of a Timestamp. */
function durationOf(text: string): WireTime {
  return fromMs(Math.round(Number(text.slice(0, -1)) * 1_000));
}
