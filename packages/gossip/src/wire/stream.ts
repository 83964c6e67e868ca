import { assert, ByteReader, ByteWriter } from '@pollux/base';
import { ShortInputError, WireError } from '../errors.ts';
import { MAX_NODES, MAX_STATE_BYTES } from './limits.ts';
import {
  type AliveMessage,
  bytes,
  decodeTyped,
  encodeMessage,
  ipBytes,
  type Message,
  port,
  TYPE,
  text,
  uint32,
} from './messages.ts';
import { type DecodedFields, decodeFields, encodeFields, messageWriter } from './msgpack.ts';
import { deflate, inflate } from './packet.ts';

export const NODE_STATES = ['alive', 'suspect', 'dead', 'left'] as const;
export type NodeState = (typeof NODE_STATES)[number];

/** A member as a push/pull lists it. */
export type PushedNode = Omit<AliveMessage, 'kind'> & { readonly state: NodeState };

export type PushPull = {
  readonly kind: 'pushPull';
  readonly isJoin: boolean;
  readonly nodes: readonly PushedNode[];
  /** A FullState, see part.ts. */
  readonly userState: Uint8Array;
};
export type StreamMessage =
  | PushPull
  | Extract<Message, { kind: 'ping' | 'ack' | 'user' }>
  | { readonly kind: 'error'; readonly text: string };

/** Above this a stream goes out as it is: compressing it would hold the event loop for longer than probes allow. */
const MAX_COMPRESSED_BYTES = 4 * 1024 * 1024;

/** The bytes of a message for a stream: compressed, as every Alertmanager does. */
export function encodeStream(message: StreamMessage, label = ''): Uint8Array {
  const plain = encodeStreamBody(message);
  const body = plain.length > MAX_COMPRESSED_BYTES ? plain : deflate(plain);
  if (label === '') return body;
  const name = new TextEncoder().encode(label);
  const writer = new ByteWriter(body.length + name.length + 2);
  writer.u8(TYPE.label);
  writer.u8(name.length);
  writer.raw(name);
  writer.raw(body);
  return writer.take();
}

function encodeStreamBody(message: StreamMessage): Uint8Array {
  switch (message.kind) {
    case 'ping':
    case 'ack':
      return encodeMessage(message);
    case 'user': {
      const writer = messageWriter(TYPE.user);
      encodeFields(writer, [['UserMsgLen', message.data.length]]);
      writer.raw(message.data);
      return writer.take();
    }
    case 'error': {
      const writer = messageWriter(TYPE.error);
      encodeFields(writer, [['Error', message.text]]);
      return writer.take();
    }
    case 'pushPull':
      return encodePushPull(message);
  }
}

function encodePushPull(message: PushPull): Uint8Array {
  assert(message.nodes.length <= MAX_NODES, 'more members than a push/pull may list');
  const writer = messageWriter(TYPE.pushPull);
  encodeFields(writer, [
    ['Join', message.isJoin],
    ['Nodes', message.nodes.length],
    ['UserStateLen', message.userState.length],
  ]);
  for (const node of message.nodes) {
    encodeFields(writer, [
      ['Addr', node.address],
      ['Incarnation', node.incarnation],
      ['Meta', node.meta],
      ['Name', node.node],
      ['Port', node.port],
      ['State', NODE_STATES.indexOf(node.state)],
      ['Vsn', node.versions],
    ]);
  }
  writer.raw(message.userState);
  return writer.take();
}

/**
 * Decodes the one message of a stream as its bytes come in. `next` gives it once it is whole, null before; it throws
 * WireError when it cannot become one. Memory is bounded by the limits whatever the peer claims.
 */
export class StreamDecoder {
  readonly #label: string | null;
  #data: Uint8Array = new Uint8Array(0);
  #size = 0;
  /** Start of the next undecoded unit. */
  #at = 0;
  #labelSeen = false;
  #pushPull: { header: DecodedFields; nodes: PushedNode[] } | null = null;
  #userHeader: DecodedFields | null = null;

  /** `label` is what an accepted stream must begin with; null for replies, which never carry one. */
  constructor(label: string | null) {
    this.#label = label;
  }

  push(chunk: Uint8Array): void {
    if (this.#size + chunk.length > this.#data.length) {
      const grown = new Uint8Array(Math.max(1024, this.#size + chunk.length, 2 * this.#size));
      grown.set(this.#data.subarray(0, this.#size));
      this.#data = grown;
    }
    this.#data.set(chunk, this.#size);
    this.#size += chunk.length;
  }

  get size(): number {
    return this.#size;
  }

  next(): StreamMessage | null {
    try {
      this.#skipLabel();
      return this.#message();
    } catch (error) {
      if (error instanceof ShortInputError) return null;
      throw error;
    }
  }

  #skipLabel(): void {
    if (this.#labelSeen) return;
    const type = this.#byte(0);
    const expected = this.#label ?? '';
    if (type !== TYPE.label) {
      if (expected !== '') throw new WireError('GOSSIP.LABEL', 'stream without label');
      this.#labelSeen = true;
      return;
    }
    const size = this.#byte(1);
    this.#need(2 + size);
    const found = new TextDecoder().decode(this.#data.subarray(2, 2 + size));
    if (found !== expected) {
      throw new WireError('GOSSIP.LABEL', `unacceptable label ${JSON.stringify(found)}`);
    }
    this.#at = 2 + size;
    this.#labelSeen = true;
  }

  #message(): StreamMessage {
    if (this.#pushPull !== null) return this.#pushPullBody(this.#pushPull);
    if (this.#userHeader !== null) return this.#userBody(this.#userHeader);
    const type = this.#byte(this.#at);
    switch (type) {
      case TYPE.compress:
        return this.#compressed();
      case TYPE.pushPull: {
        const header = this.#fields(this.#at + 1);
        const nodes = uint32(header, 'Nodes');
        if (nodes > MAX_NODES) {
          throw new WireError('GOSSIP.TOO_LARGE', `${nodes} members; limit ${MAX_NODES}`);
        }
        limitState(uint32(header, 'UserStateLen'));
        this.#pushPull = { header, nodes: [] };
        return this.#pushPullBody(this.#pushPull);
      }
      case TYPE.user: {
        const header = this.#fields(this.#at + 1);
        limitState(uint32(header, 'UserMsgLen'));
        this.#userHeader = header;
        return this.#userBody(header);
      }
      case TYPE.ping:
      case TYPE.ack:
        return decodeTyped(type, this.#fields(this.#at + 1)) as StreamMessage;
      case TYPE.error:
        return { kind: 'error', text: text(this.#fields(this.#at + 1), 'Error') };
      case TYPE.encrypt:
        throw new WireError('GOSSIP.UNSUPPORTED', 'encrypted streams are not supported');
      default:
        throw new WireError('GOSSIP.UNSUPPORTED', `message type ${type} is not supported`);
    }
  }

  #compressed(): StreamMessage {
    const start = this.#at;
    // Reading the map first tells whether it is whole.
    this.#fields(start + 1);
    const inner = new StreamDecoder(null);
    const content = inflate(this.#data.subarray(start, this.#at));
    if (content[0] === TYPE.compress) {
      throw new WireError('GOSSIP.MALFORMED', 'compressed twice');
    }
    inner.push(content);
    const message = inner.next();
    if (message === null) throw new WireError('GOSSIP.MALFORMED', 'truncated message');
    return message;
  }

  #pushPullBody(state: { header: DecodedFields; nodes: PushedNode[] }): PushPull {
    const count = uint32(state.header, 'Nodes');
    while (state.nodes.length < count) state.nodes.push(pushedNode(this.#fields(this.#at)));
    const size = uint32(state.header, 'UserStateLen');
    this.#need(this.#at + size);
    return {
      kind: 'pushPull',
      isJoin: state.header.get('Join') === true,
      nodes: state.nodes,
      userState: this.#data.slice(this.#at, this.#at + size),
    };
  }

  #userBody(header: DecodedFields): StreamMessage {
    const size = uint32(header, 'UserMsgLen');
    this.#need(this.#at + size);
    return { kind: 'user', data: this.#data.slice(this.#at, this.#at + size) };
  }

  /** The map at `start`; moves past it. */
  #fields(start: number): DecodedFields {
    const reader = new ByteReader(this.#data, start, this.#size);
    const fields = decodeFields(reader, MAX_STATE_BYTES);
    this.#at = reader.offset;
    return fields;
  }

  #byte(at: number): number {
    this.#need(at + 1);
    return this.#data[at] ?? 0;
  }

  #need(size: number): void {
    if (this.#size < size) throw new ShortInputError();
  }
}

function pushedNode(fields: DecodedFields): PushedNode {
  const state = NODE_STATES[uint32(fields, 'State')];
  if (state === undefined) throw new WireError('GOSSIP.MALFORMED', 'unknown member state');
  return {
    state,
    node: text(fields, 'Name'),
    address: ipBytes(fields, 'Addr'),
    port: port(fields, 'Port'),
    incarnation: uint32(fields, 'Incarnation'),
    meta: bytes(fields, 'Meta'),
    versions: bytes(fields, 'Vsn'),
  };
}

function limitState(size: number): void {
  if (size > MAX_STATE_BYTES) {
    throw new WireError('GOSSIP.TOO_LARGE', `a state of ${size} bytes; limit ${MAX_STATE_BYTES}`);
  }
}
