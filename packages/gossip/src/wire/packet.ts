import { assert, ByteReader, ByteWriter, crc32 } from '@pollux/base';
import { WireError } from '../errors.ts';
import {
  MAX_INFLATED_BYTES,
  MAX_LAYERS,
  MAX_PACKET_INFLATED_BYTES,
  MAX_PARTS,
  MAX_UDP_BYTES,
} from './limits.ts';
import { compress, decompress } from './lzw.ts';
import { bytes, decodeMessage, type Message, TYPE, uint32, wholeFields } from './messages.ts';
import { encodeFields, messageWriter } from './msgpack.ts';

export type DecodedPacket = {
  readonly messages: readonly Message[];
  /** What of the packet could not be read; the messages before and beside it count all the same. */
  readonly errors: readonly WireError[];
};

/**
 * Takes a datagram apart: label, CRC, compression, compound. Malformed parts become errors in the result; it never throws
 * for any input.
 */
export function decodePacket(data: Uint8Array, label: string): DecodedPacket {
  const messages: Message[] = [];
  const errors: WireError[] = [];
  attempt(errors, () => {
    if (data.length > MAX_UDP_BYTES) throw new WireError('GOSSIP.TOO_LARGE', 'packet too large');
    const body = withoutChecksum(withoutLabel(data, label));
    unpack({ messages, errors, budget: { bytes: MAX_PACKET_INFLATED_BYTES } }, body, 0);
  });
  return { messages, errors };
}

/** Strips the label and checks that it is ours; an absent one counts as empty. */
function withoutLabel(data: Uint8Array, label: string): Uint8Array {
  if (data[0] !== TYPE.label) {
    if (label === '') return data;
    throw new WireError('GOSSIP.LABEL', `packet without the label ${JSON.stringify(label)}`);
  }
  const size = data[1] ?? 0;
  if (size === 0 || data.length < 2 + size) {
    throw new WireError('GOSSIP.MALFORMED', 'truncated label');
  }
  const found = new TextDecoder().decode(data.subarray(2, 2 + size));
  if (found !== label) {
    throw new WireError('GOSSIP.LABEL', `unacceptable label ${JSON.stringify(found)}`);
  }
  return data.subarray(2 + size);
}

function withoutChecksum(data: Uint8Array): Uint8Array {
  if (data[0] !== TYPE.checksum) return data;
  if (data.length < 5) throw new WireError('GOSSIP.MALFORMED', 'truncated checksum');
  const expected = new ByteReader(data, 1).u32();
  if (crc32(data, 5) !== expected) throw new WireError('GOSSIP.CHECKSUM', 'checksum mismatch');
  return data.subarray(5);
}

type Sink = {
  readonly messages: Message[];
  readonly errors: WireError[];
  /** What may still be inflated from this packet, over all its parts and layers. */
  readonly budget: { bytes: number };
};

function unpack(sink: Sink, data: Uint8Array, layer: number): void {
  if (layer > MAX_LAYERS) throw new WireError('GOSSIP.MALFORMED', 'layers nested too deep');
  if (data.length === 0) throw new WireError('GOSSIP.MALFORMED', 'empty message');
  if (sink.messages.length + sink.errors.length >= MAX_PARTS) {
    throw new WireError('GOSSIP.TOO_LARGE', `more than ${MAX_PARTS} messages in a packet`);
  }
  if (data[0] === TYPE.compress) {
    const content = inflate(data, sink.budget.bytes);
    sink.budget.bytes -= content.length;
    unpack(sink, content, layer + 1);
    return;
  }
  if (data[0] !== TYPE.compound) {
    sink.messages.push(decodeMessage(data));
    return;
  }
  const count = data[1] ?? 0;
  let offset = 2 + 2 * count;
  if (data.length < offset) throw new WireError('GOSSIP.MALFORMED', 'truncated compound header');
  for (let i = 0; i < count; i++) {
    const size = (data[2 + 2 * i]! << 8) | data[3 + 2 * i]!;
    if (offset + size > data.length) {
      throw new WireError('GOSSIP.MALFORMED', `${count - i} parts of a compound are missing`);
    }
    const part = data.subarray(offset, offset + size);
    offset += size;
    attempt(sink.errors, () => unpack(sink, part, layer + 1));
  }
}

/** The content of a compress message that is there as a whole. */
export function inflate(data: Uint8Array, maxBytes = MAX_INFLATED_BYTES): Uint8Array {
  const fields = wholeFields(data);
  const algorithm = uint32(fields, 'Algo');
  if (algorithm !== 0) {
    throw new WireError(
      'GOSSIP.UNSUPPORTED',
      `compression algorithm ${algorithm} is not supported`,
    );
  }
  return decompress(bytes(fields, 'Buf'), maxBytes);
}

function attempt(errors: WireError[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    errors.push(error);
  }
}

export type PacketOptions = {
  readonly withChecksum: boolean;
  readonly label: string;
};

/** One datagram of encoded messages: bare when alone, compound else; compressed where that makes it smaller. */
export function encodePacket(messages: readonly Uint8Array[], options: PacketOptions): Uint8Array {
  const [first] = messages;
  let data = messages.length === 1 && first !== undefined ? first : compound(messages);
  const packed = deflate(data);
  if (packed.length < data.length) data = packed;
  const label = new TextEncoder().encode(options.label);
  const writer = new ByteWriter(data.length + label.length + 8);
  if (label.length > 0) {
    writer.u8(TYPE.label);
    writer.u8(label.length);
    writer.raw(label);
  }
  if (options.withChecksum) {
    writer.u8(TYPE.checksum);
    writer.u32(crc32(data));
  }
  writer.raw(data);
  return writer.take();
}

/** `data` as a compress message. */
export function deflate(data: Uint8Array): Uint8Array {
  const writer = messageWriter(TYPE.compress);
  encodeFields(writer, [
    ['Algo', 0],
    ['Buf', compress(data)],
  ]);
  return writer.take();
}

function compound(messages: readonly Uint8Array[]): Uint8Array {
  // No message is so short that more would fit the packets that gossip fills.
  assert(messages.length > 0 && messages.length <= 255, 'a compound of 1 to 255 parts');
  const writer = messageWriter(TYPE.compound);
  writer.u8(messages.length);
  for (const message of messages) writer.u16(message.length);
  for (const message of messages) writer.raw(message);
  return writer.take();
}
