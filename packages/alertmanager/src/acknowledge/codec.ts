import { DecodeError } from '@pollux/base';
import type { MatchOperator } from '@pollux/model';
import type { SilenceMatcher } from '../silence/silence.ts';
import {
  bytesField,
  delimited,
  delimitedMessages,
  type Field,
  fieldsOf,
  MessageWriter,
  textField,
  timeField,
} from '../wire/protobuf.ts';
import { fromMs, toMs } from '../wire/timestamp.ts';
import type { Acknowledgement } from './acknowledgement.ts';

const OPERATORS: ReadonlySet<string> = new Set<MatchOperator>(['=', '!=', '=~', '!~']);
const MAX_ID_LENGTH = 64;

export type AcknowledgementBytes = {
  readonly acknowledgement: Acknowledgement;
  /** Delimited; as it came, with fields of newer versions. */
  readonly bytes: Uint8Array;
};

export function encodeAcknowledgement(item: Acknowledgement): Uint8Array {
  const message = new MessageWriter().text(1, item.id);
  for (const { name, operator, pattern } of item.matchers) {
    message.message(2, new MessageWriter().text(1, name).text(2, operator).text(3, pattern).take());
  }
  message.text(3, item.fingerprint).text(4, item.groupKey);
  message.text(5, item.owner).text(6, item.note);
  message.time(7, fromMs(item.createdMs)).time(8, fromMs(item.coversStartsUntilMs));
  message.time(9, fromMs(item.untilMs)).time(10, fromMs(item.endedMs));
  return delimited(message.time(11, fromMs(item.updatedMs)).take());
}

/** All or nothing: throws a DecodeError. */
export function decodeAcknowledgements(data: Uint8Array): AcknowledgementBytes[] {
  const found: AcknowledgementBytes[] = [];
  for (const message of delimitedMessages(data)) {
    found.push({ acknowledgement: decode(message), bytes: delimited(message) });
  }
  return found;
}

function decode(message: Uint8Array): Acknowledgement {
  const texts = new Map<number, string>();
  const times = new Map<number, number>();
  const matchers: SilenceMatcher[] = [];
  for (const field of fieldsOf(message)) {
    const { number } = field;
    if (number === 2) matchers.push(matcherOf(field));
    else if (number <= 6) texts.set(number, textField(field));
    else if (number <= 11) times.set(number, toMs(timeField(field)));
  }
  const text = (number: number): string => texts.get(number) ?? '';
  const time = (number: number): number => times.get(number) ?? 0;
  const id = text(1);
  if (id === '' || id.length > MAX_ID_LENGTH) {
    throw new DecodeError('acknowledgement without an id', 0);
  }
  return {
    id,
    matchers,
    fingerprint: text(3),
    groupKey: text(4),
    owner: text(5),
    note: text(6),
    createdMs: time(7),
    coversStartsUntilMs: time(8),
    untilMs: time(9),
    endedMs: time(10),
    updatedMs: time(11),
  };
}

function matcherOf(field: Field): SilenceMatcher {
  let name = '';
  let operator = '';
  let pattern = '';
  for (const part of fieldsOf(bytesField(field))) {
    if (part.number === 1) name = textField(part);
    else if (part.number === 2) operator = textField(part);
    else if (part.number === 3) pattern = textField(part);
  }
  if (name === '' || !OPERATORS.has(operator)) {
    throw new DecodeError('acknowledgement with a bad matcher', 0);
  }
  return { name, operator: operator as MatchOperator, pattern };
}
