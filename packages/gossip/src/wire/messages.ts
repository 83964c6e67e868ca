import { ByteReader } from '@pollux/base';
import { ShortInputError, WireError } from '../errors.ts';
import { MAX_STATE_BYTES } from './limits.ts';
import {
  type DecodedFields,
  decodeFields,
  encodeFields,
  type Field,
  messageWriter,
} from './msgpack.ts';

/** First byte of every message. */
export const TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  checksum: 12,
  error: 13,
  label: 244,
} as const;

/** Where a ping wants its ack: memberlist's Source fields, absent in very old peers. */
export type PingSource = {
  readonly address: Uint8Array;
  readonly port: number;
  readonly name: string;
};

export type PingMessage = {
  readonly kind: 'ping';
  readonly sequence: number;
  /** Empty when the sender does not say whom it means. */
  readonly node: string;
  readonly source: PingSource | null;
};
export type IndirectPingMessage = {
  readonly kind: 'indirectPing';
  readonly sequence: number;
  readonly node: string;
  readonly target: Uint8Array;
  readonly port: number;
  readonly wantsNack: boolean;
  readonly source: PingSource | null;
};
export type AckMessage = { readonly kind: 'ack'; readonly sequence: number };
export type NackMessage = { readonly kind: 'nack'; readonly sequence: number };
export type AccusationMessage = {
  readonly kind: 'suspect' | 'dead';
  readonly incarnation: number;
  readonly node: string;
  readonly from: string;
};
export type AliveMessage = {
  readonly kind: 'alive';
  readonly incarnation: number;
  readonly node: string;
  readonly address: Uint8Array;
  readonly port: number;
  readonly meta: Uint8Array;
  /** `[pMin, pMax, pCur, dMin, dMax, dCur]`, or empty. */
  readonly versions: Uint8Array;
};
export type UserMessage = { readonly kind: 'user'; readonly data: Uint8Array };

export type Message =
  | PingMessage
  | IndirectPingMessage
  | AckMessage
  | NackMessage
  | AccusationMessage
  | AliveMessage
  | UserMessage;

/** Messages of packets whose body is one map. */
const MAP_TYPES: ReadonlySet<number> = new Set([
  TYPE.ping,
  TYPE.indirectPing,
  TYPE.ack,
  TYPE.nack,
  TYPE.suspect,
  TYPE.dead,
  TYPE.alive,
]);

const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder();

export function encodeMessage(message: Message): Uint8Array {
  if (message.kind === 'user') {
    const writer = messageWriter(TYPE.user);
    writer.raw(message.data);
    return writer.take();
  }
  const writer = messageWriter(TYPE[message.kind]);
  encodeFields(writer, fieldsOf(message));
  return writer.take();
}

function fieldsOf(message: Exclude<Message, UserMessage>): (readonly [string, Field])[] {
  switch (message.kind) {
    case 'ping':
      return [['Node', message.node], ['SeqNo', message.sequence], ...sourceFields(message.source)];
    case 'indirectPing':
      return [
        ['Nack', message.wantsNack],
        ['Node', message.node],
        ['Port', message.port],
        ['SeqNo', message.sequence],
        ...sourceFields(message.source),
        ['Target', message.target],
      ];
    case 'ack':
      return [
        ['Payload', EMPTY],
        ['SeqNo', message.sequence],
      ];
    case 'nack':
      return [['SeqNo', message.sequence]];
    case 'suspect':
    case 'dead':
      return [
        ['From', message.from],
        ['Incarnation', message.incarnation],
        ['Node', message.node],
      ];
    case 'alive':
      return [
        ['Addr', message.address],
        ['Incarnation', message.incarnation],
        ['Meta', message.meta],
        ['Node', message.node],
        ['Port', message.port],
        ['Vsn', message.versions],
      ];
  }
}

function sourceFields(source: PingSource | null): (readonly [string, Field])[] {
  if (source === null) return [];
  return [
    ['SourceAddr', source.address],
    ['SourceNode', source.name],
    ['SourcePort', source.port],
  ];
}

/** Decodes one message with its type byte that is there as a whole. Throws WireError. */
export function decodeMessage(data: Uint8Array): Message {
  const type = data[0];
  if (type === TYPE.user) return { kind: 'user', data: data.subarray(1) };
  if (type === undefined || !MAP_TYPES.has(type)) throw unsupported(type);
  return decodeTyped(type, wholeFields(data));
}

/** The map behind the type byte of a message that is there as a whole. */
export function wholeFields(data: Uint8Array, maxBytes = MAX_STATE_BYTES): DecodedFields {
  try {
    return decodeFields(new ByteReader(data, 1), maxBytes);
  } catch (error) {
    if (error instanceof ShortInputError)
      throw new WireError('GOSSIP.MALFORMED', 'truncated message');
    throw error;
  }
}

export function decodeTyped(type: number | undefined, fields: DecodedFields): Message {
  const sequence = uint32(fields, 'SeqNo');
  const node = text(fields, 'Node');
  const incarnation = uint32(fields, 'Incarnation');
  switch (type) {
    case TYPE.ping:
      return { kind: 'ping', sequence, node, source: sourceOf(fields) };
    case TYPE.indirectPing:
      return {
        kind: 'indirectPing',
        sequence,
        node,
        target: ipBytes(fields, 'Target'),
        port: port(fields, 'Port'),
        wantsNack: fields.get('Nack') === true || fields.get('Nack') === 1,
        source: sourceOf(fields),
      };
    case TYPE.ack:
      return { kind: 'ack', sequence };
    case TYPE.nack:
      return { kind: 'nack', sequence };
    case TYPE.suspect:
    case TYPE.dead: {
      const kind = type === TYPE.suspect ? 'suspect' : 'dead';
      return { kind, incarnation, node, from: text(fields, 'From') };
    }
    case TYPE.alive:
      return {
        kind: 'alive',
        incarnation,
        node,
        address: ipBytes(fields, 'Addr'),
        port: port(fields, 'Port'),
        meta: bytes(fields, 'Meta'),
        versions: bytes(fields, 'Vsn'),
      };
    default:
      throw unsupported(type);
  }
}

function sourceOf(fields: DecodedFields): PingSource | null {
  const address = bytes(fields, 'SourceAddr');
  const sourcePort = port(fields, 'SourcePort');
  if ((address.length !== 4 && address.length !== 16) || sourcePort === 0) return null;
  return { address, port: sourcePort, name: text(fields, 'SourceNode') };
}

/** A missing or nil field counts as empty; a field of another kind makes the message malformed. */
export function bytes(fields: DecodedFields, name: string): Uint8Array {
  const value = fields.get(name);
  if (value === undefined || value === null) return EMPTY;
  if (value instanceof Uint8Array) return value.slice();
  throw wrongField(name);
}

export function text(fields: DecodedFields, name: string): string {
  return decoder.decode(bytes(fields, name));
}

export function uint32(fields: DecodedFields, name: string): number {
  const value = fields.get(name) ?? 0;
  if (typeof value !== 'number' || value < 0 || value > 0xffff_ffff) throw wrongField(name);
  return value;
}

export function port(fields: DecodedFields, name: string): number {
  const value = uint32(fields, name);
  if (value > 0xffff) throw wrongField(name);
  return value;
}

/** 4 or 16 bytes; a mapped IPv4 address becomes the IPv4 address. */
export function ipBytes(fields: DecodedFields, name: string): Uint8Array {
  const value = bytes(fields, name);
  if (value.length === 4) return value;
  if (value.length !== 16) throw wrongField(name);
  const isMapped = value.subarray(0, 10).every((byte) => byte === 0) && value[10] === 0xff;
  return isMapped && value[11] === 0xff ? value.slice(12) : value;
}

function wrongField(name: string): WireError {
  return new WireError('GOSSIP.MALFORMED', `field ${name} is not what it should be`);
}

function unsupported(type: number | undefined): WireError {
  return new WireError('GOSSIP.UNSUPPORTED', `message type ${String(type)} is not supported`);
}
