import { DecodeError } from '@pollux/base';
import {
  bytesField,
  delimited,
  delimitedMessages,
  type Field,
  fieldsOf,
  integerField,
  MessageWriter,
  textField,
  timeField,
} from '../wire/protobuf.ts';
import { fromMs, toMs } from '../wire/timestamp.ts';

/** What a member sees of another. */
export type SeenLink = {
  readonly name: string;
  readonly udp: SeenWay;
  readonly tcp: SeenWay;
};

export type SeenWay = {
  readonly isReachable: boolean;
  readonly roundTripMs: number | null;
  readonly error: string;
};

/** A member asks all others what they see. */
export type Ask = { readonly kind: 'ask'; readonly id: string; readonly member: string };

export type Answer = {
  readonly kind: 'answer';
  /** Of the question. */
  readonly id: string;
  readonly member: string;
  readonly version: string;
  /** When the question came and the answer went, by the member's wall clock. */
  readonly receivedMs: number;
  readonly sentMs: number;
  readonly links: readonly SeenLink[];
};

const ASK = 1;
const ANSWER = 2;
const MAX_LINKS = 1_000;

export function encodeDoctorMessage(message: Ask | Answer): Uint8Array {
  const writer = new MessageWriter()
    .integer(1, message.kind === 'ask' ? ASK : ANSWER)
    .text(2, message.id)
    .text(3, message.member);
  if (message.kind === 'answer') {
    writer.text(4, message.version);
    writer.time(5, fromMs(message.receivedMs)).time(6, fromMs(message.sentMs));
    for (const { name, udp, tcp } of message.links.slice(0, MAX_LINKS)) {
      const link = new MessageWriter().text(1, name).message(2, way(udp)).message(3, way(tcp));
      writer.message(7, link.take());
    }
  }
  return delimited(writer.take());
}

function way({ isReachable, roundTripMs, error }: SeenWay): Uint8Array {
  const writer = new MessageWriter().integer(1, isReachable ? 1 : 0);
  // In microseconds, one more than measured, so that no time at all is told from none known.
  if (roundTripMs !== null) writer.integer(2, Math.round(roundTripMs * 1000) + 1);
  return writer.text(3, error.slice(0, 200)).take();
}

/** All or nothing: throws a DecodeError. */
export function decodeDoctorMessages(data: Uint8Array): (Ask | Answer)[] {
  return [...delimitedMessages(data)].map(decode);
}

function decode(message: Uint8Array): Ask | Answer {
  let kind = 0;
  const texts = new Map<number, string>();
  const times = new Map<number, number>();
  const links: SeenLink[] = [];
  for (const field of fieldsOf(message)) {
    const { number } = field;
    if (number === 1) kind = integerField(field);
    else if (number <= 4) texts.set(number, textField(field));
    else if (number <= 6) times.set(number, toMs(timeField(field)));
    else if (number === 7 && links.length < MAX_LINKS) links.push(linkOf(field));
  }
  const id = texts.get(2) ?? '';
  const member = texts.get(3) ?? '';
  if (id === '' || member === '' || (kind !== ASK && kind !== ANSWER)) {
    throw new DecodeError('a word of the doctor without its parts', 0);
  }
  if (kind === ASK) return { kind: 'ask', id, member };
  return {
    kind: 'answer',
    id,
    member,
    version: texts.get(4) ?? '',
    receivedMs: times.get(5) ?? 0,
    sentMs: times.get(6) ?? 0,
    links,
  };
}

function linkOf(field: Field): SeenLink {
  const unseen: SeenWay = { isReachable: false, roundTripMs: null, error: '' };
  let name = '';
  let udp = unseen;
  let tcp = unseen;
  for (const part of fieldsOf(bytesField(field))) {
    if (part.number === 1) name = textField(part);
    else if (part.number === 2) udp = wayOf(part);
    else if (part.number === 3) tcp = wayOf(part);
  }
  return { name, udp, tcp };
}

function wayOf(field: Field): SeenWay {
  let isReachable = false;
  let roundTripMs: number | null = null;
  let error = '';
  for (const part of fieldsOf(bytesField(field))) {
    if (part.number === 1) isReachable = integerField(part) === 1;
    else if (part.number === 2) roundTripMs = (integerField(part) - 1) / 1000;
    else if (part.number === 3) error = textField(part);
  }
  return { isReachable, roundTripMs, error };
}
