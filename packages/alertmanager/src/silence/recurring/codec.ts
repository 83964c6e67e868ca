import { DecodeError } from '@pollux/base';
import type { MatchOperator } from '@pollux/model';
import {
  bytesField,
  delimited,
  delimitedMessages,
  type Field,
  fieldsOf,
  MessageWriter,
  textField,
  timeField,
} from '../../wire/protobuf.ts';
import { fromMs, toMs } from '../../wire/timestamp.ts';
import type { SilenceMatcher } from '../silence.ts';
import type { RecurringSilence } from './recurring-silence.ts';

const OPERATORS: ReadonlySet<string> = new Set<MatchOperator>(['=', '!=', '=~', '!~']);
const MAX_ID_LENGTH = 64;

export function encodeRecurring(item: RecurringSilence): Uint8Array {
  const message = new MessageWriter().text(1, item.id);
  for (const { name, operator, pattern } of item.matchers) {
    message.message(2, new MessageWriter().text(1, name).text(2, operator).text(3, pattern).take());
  }
  message.text(3, item.schedule).text(4, item.createdBy).text(5, item.comment);
  message.time(6, fromMs(item.createdMs)).time(7, fromMs(item.deletedMs));
  return delimited(message.time(8, fromMs(item.updatedMs)).take());
}

/** All or nothing: throws a DecodeError. */
export function decodeRecurring(
  data: Uint8Array,
): { readonly item: RecurringSilence; readonly bytes: Uint8Array }[] {
  const found = [];
  for (const message of delimitedMessages(data)) {
    found.push({ item: decode(message), bytes: delimited(message) });
  }
  return found;
}

function decode(message: Uint8Array): RecurringSilence {
  const texts = new Map<number, string>();
  const times = new Map<number, number>();
  const matchers: SilenceMatcher[] = [];
  for (const field of fieldsOf(message)) {
    const { number } = field;
    if (number === 2) matchers.push(matcherOf(field));
    else if (number <= 5) texts.set(number, textField(field));
    else if (number <= 8) times.set(number, toMs(timeField(field)));
  }
  const id = texts.get(1) ?? '';
  if (id === '' || id.length > MAX_ID_LENGTH || matchers.length === 0) {
    throw new DecodeError('recurring silence without an id or matchers', 0);
  }
  return {
    id,
    matchers,
    schedule: texts.get(3) ?? '',
    createdBy: texts.get(4) ?? '',
    comment: texts.get(5) ?? '',
    createdMs: times.get(6) ?? 0,
    deletedMs: times.get(7) ?? 0,
    updatedMs: times.get(8) ?? 0,
  };
}

function matcherOf(field: Field): SilenceMatcher {
  const texts = new Map<number, string>();
  for (const part of fieldsOf(bytesField(field))) {
    if (part.number <= 3) texts.set(part.number, textField(part));
  }
  const name = texts.get(1) ?? '';
  const operator = texts.get(2) ?? '';
  if (name === '' || !OPERATORS.has(operator)) throw new DecodeError('a bad matcher', 0);
  return { name, operator: operator as MatchOperator, pattern: texts.get(3) ?? '' };
}
