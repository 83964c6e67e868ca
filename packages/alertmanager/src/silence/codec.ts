import { DecodeError } from '@pollux/base';
import { compareText, type MatchOperator } from '@pollux/model';
import {
  bytesField,
  delimited,
  delimitedMessages,
  type Field,
  fieldsOf,
  integerField,
  joined,
  MessageWriter,
  textField,
  timeField,
} from '../wire/protobuf.ts';
import { compareTimes, type WireTime, ZERO_TIME_SECONDS } from '../wire/timestamp.ts';
import type { Silence, SilenceMatcher } from './silence.ts';

/** A silence with its life on the wire, and the bytes it came in, which are what is sent on. */
export type SilenceRecord = {
  readonly silence: Silence;
  readonly expiresAt: WireTime;
  /** Delimited MeshSilence. */
  readonly bytes: Uint8Array;
};

const OPERATORS: readonly MatchOperator[] = ['=', '=~', '!=', '!~'];
const ZERO: WireTime = { seconds: 0, nanos: 0 };

/** The data of a "sil" Part or a snapshot file. All or nothing: a DecodeError leaves nothing. */
export function decodeSilences(data: Uint8Array): SilenceRecord[] {
  const records: SilenceRecord[] = [];
  for (const message of delimitedMessages(data)) {
    const record = decodeMeshSilence(message);
    if (record !== null) records.push(record);
  }
  return records;
}

export function encodeSilences(records: Iterable<SilenceRecord>): Uint8Array {
  return joined([...records].map((record) => record.bytes));
}

/** A record of our own version. Field 2 and field 11 both carry the matchers, for members before and from 0.32. */
export function silenceRecord(silence: Silence, expiresAt: WireTime): SilenceRecord {
  const matchers = silence.matchers.map(encodeMatcher);
  const message = new MessageWriter().text(1, silence.id);
  for (const matcher of matchers) message.message(2, matcher);
  message.time(3, silence.startsAt).time(4, silence.endsAt).time(5, silence.updatedAt);
  message.text(8, silence.createdBy).text(9, silence.comment);
  const sorted = [...silence.annotations].sort(([a], [b]) => compareText(a, b));
  for (const [key, value] of sorted) {
    message.message(10, new MessageWriter().text(1, key).text(2, value).take());
  }
  const set = new MessageWriter();
  for (const matcher of matchers) set.message(1, matcher);
  message.message(11, set.take()).raw(silence.unknownFields);
  const mesh = new MessageWriter().message(1, message.take()).time(2, expiresAt);
  return { silence, expiresAt, bytes: delimited(mesh.take()) };
}

function encodeMatcher({ name, operator, pattern }: SilenceMatcher): Uint8Array {
  return new MessageWriter()
    .integer(1, OPERATORS.indexOf(operator))
    .text(2, name)
    .text(3, pattern)
    .take();
}

/** Null for a record without an expiry, which every member drops. */
function decodeMeshSilence(message: Uint8Array): SilenceRecord | null {
  let inner: Uint8Array | null = null;
  let expiresAt = ZERO;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) inner = bytesField(field);
    else if (field.number === 2) expiresAt = timeField(field);
  }
  if (inner === null) throw new DecodeError('silence is missing', 0);
  const { silence, hasOldMatchers } = decodeSilence(inner);
  if (isUnset(expiresAt)) return null;
  // A sender of 0.32.0–0.33.0 left field 2 out; passed on like that it would silence everything on members before 0.32.
  if (!hasOldMatchers && silence.matchers.length > 0 && silence.isApplicable) {
    return silenceRecord(silence, expiresAt);
  }
  return { silence, expiresAt, bytes: delimited(message) };
}

function isUnset(time: WireTime): boolean {
  return compareTimes(time, ZERO) === 0 || time.seconds === ZERO_TIME_SECONDS;
}

function decodeSilence(message: Uint8Array): { silence: Silence; hasOldMatchers: boolean } {
  const oldMatchers: SilenceMatcher[] = [];
  const sets: SilenceMatcher[][] = [];
  const comments: { author: string; comment: string }[] = [];
  const annotations = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  const texts = new Map<number, string>();
  const times = new Map<number, WireTime>();
  let receiverSets = 0;
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
      case 8:
      case 9:
        texts.set(field.number, textField(field));
        break;
      case 2:
        oldMatchers.push(decodeMatcher(bytesField(field)));
        break;
      case 3:
      case 4:
      case 5:
        times.set(field.number, timeField(field));
        break;
      case 7:
        comments.push(decodeComment(bytesField(field)));
        break;
      case 10:
        annotations.set(...decodeEntry(bytesField(field)));
        break;
      case 11:
        sets.push(decodeMatcherSet(bytesField(field)));
        break;
      case 12:
        receiverSets++;
        unknown.push(field.raw.slice());
        break;
      default:
        unknown.push(field.raw.slice());
    }
  }
  const silence: Silence = {
    id: texts.get(1) ?? '',
    matchers: sets[0] ?? oldMatchers,
    startsAt: times.get(3) ?? ZERO,
    endsAt: times.get(4) ?? ZERO,
    updatedAt: times.get(5) ?? ZERO,
    createdBy: texts.get(8) ?? comments[0]?.author ?? '',
    comment: texts.get(9) ?? comments[0]?.comment ?? '',
    annotations,
    unknownFields: joined(unknown),
    isApplicable: sets.length <= 1 && receiverSets === 0,
  };
  if (silence.id === '') throw new DecodeError('silence without id', 0);
  return { silence, hasOldMatchers: oldMatchers.length > 0 };
}

function decodeMatcher(message: Uint8Array): SilenceMatcher {
  let type = 0;
  let name = '';
  let pattern = '';
  for (const field of fieldsOf(message)) {
    if (field.number === 1) type = integerField(field);
    else if (field.number === 2) name = textField(field);
    else if (field.number === 3) pattern = textField(field);
  }
  const operator = OPERATORS[type];
  if (operator === undefined) throw new DecodeError(`matcher type ${type} is not known`, 0);
  return { name, operator, pattern };
}

function decodeMatcherSet(message: Uint8Array): SilenceMatcher[] {
  const matchers: SilenceMatcher[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) matchers.push(decodeMatcher(bytesField(field)));
  }
  return matchers;
}

function decodeComment(message: Uint8Array): { author: string; comment: string } {
  const texts = stringFields(message);
  return { author: texts.get(1) ?? '', comment: texts.get(2) ?? '' };
}

function decodeEntry(message: Uint8Array): [string, string] {
  const texts = stringFields(message);
  return [texts.get(1) ?? '', texts.get(2) ?? ''];
}

function stringFields(message: Uint8Array): Map<number, string> {
  const texts = new Map<number, string>();
  const isText = (field: Field): boolean => field.number === 1 || field.number === 2;
  for (const field of fieldsOf(message))
    if (isText(field)) texts.set(field.number, textField(field));
  return texts;
}
