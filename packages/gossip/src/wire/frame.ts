import { ByteReader, ByteWriter, DecodeError } from '@pollux/base';
import { WireError } from '../errors.ts';
import { MAX_UDP_BYTES } from './limits.ts';

/**
 * What stands before everything on a connection over TLS: the length of the rest as a little-endian u32, then
 *
 *     MemberlistMessage { string version = 1; enum kind = 2 {STREAM = 0, PACKET = 1}; string from_addr = 3; bytes msg = 4; }
 *
 * After a STREAM frame the connection is a stream as without TLS. Of PACKET frames any number follow each other.
 */
export type Frame =
  | { readonly kind: 'stream' }
  | {
      readonly kind: 'packet';
      /** `host:port` the sender listens on. */
      readonly from: string;
      readonly packet: Uint8Array;
    };

const VERSION = 'v0.1.0';
const LENGTH_BYTES = 4;
/** A packet with its address and version. */
const MAX_FRAME_BYTES = MAX_UDP_BYTES + 1_024;

export function encodeFrame(frame: Frame): Uint8Array {
  const body = new ByteWriter(64);
  writeBytes(body, 1, new TextEncoder().encode(VERSION));
  if (frame.kind === 'packet') {
    body.u8((2 << 3) | 0);
    body.u8(1);
    writeBytes(body, 3, new TextEncoder().encode(frame.from));
    writeBytes(body, 4, frame.packet);
  }
  const bytes = body.take();
  const framed = new Uint8Array(LENGTH_BYTES + bytes.length);
  new DataView(framed.buffer).setUint32(0, bytes.length, true);
  framed.set(bytes, LENGTH_BYTES);
  return framed;
}

/** Takes frames out of bytes that come in pieces of any size. */
export class FrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** The next frame, or null until it is there. Throws a WireError. */
  next(): Frame | null {
    if (this.#rest.length < LENGTH_BYTES) return null;
    const view = new DataView(this.#rest.buffer, this.#rest.byteOffset, this.#rest.length);
    const length = view.getUint32(0, true);
    if (length > MAX_FRAME_BYTES) {
      throw new WireError('GOSSIP.TOO_LARGE', `a frame of ${length} bytes`);
    }
    if (this.#rest.length < LENGTH_BYTES + length) return null;
    const body = this.#rest.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    this.#rest = this.#rest.subarray(LENGTH_BYTES + length);
    return decodeBody(body);
  }

  /** What came behind the last frame. */
  get rest(): Uint8Array {
    return this.#rest;
  }
}

function decodeBody(body: Uint8Array): Frame {
  let version = '';
  let kind = 0;
  let from = '';
  let packet: Uint8Array = new Uint8Array(0);
  const reader = new ByteReader(body);
  try {
    while (reader.remaining > 0) {
      const tag = reader.uvarint();
      const field = Math.floor(tag / 8);
      if ((tag & 7) === 0) {
        const value = Number(reader.uvarint64());
        if (field === 2) kind = value;
        continue;
      }
      if ((tag & 7) !== 2) throw malformed(`wire type ${tag & 7}`);
      const value = reader.raw(reader.uvarint());
      if (field === 1) version = new TextDecoder().decode(value);
      if (field === 3) from = new TextDecoder().decode(value);
      if (field === 4) packet = value;
    }
  } catch (error) {
    if (error instanceof DecodeError) throw malformed(error.message);
    throw error;
  }
  if (version !== VERSION) {
    throw new WireError('GOSSIP.UNSUPPORTED', `frame of version ${JSON.stringify(version)}`);
  }
  if (kind === 0) return { kind: 'stream' };
  if (kind === 1) return { kind: 'packet', from, packet };
  throw malformed(`frame of kind ${kind}`);
}

function writeBytes(writer: ByteWriter, field: number, data: Uint8Array): void {
  writer.u8((field << 3) | 2);
  writer.uvarint(data.length);
  writer.raw(data);
}

function malformed(what: string): WireError {
  return new WireError('GOSSIP.MALFORMED', `frame: ${what}`);
}
