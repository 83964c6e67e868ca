import { setMaxListeners } from 'node:events';
import {
  type Address,
  type Listener,
  type Net,
  OperatingError,
  systemCode,
  type TcpConnection,
  type UdpSocket,
} from '@pollux/base';
import { PeerError, WireError } from '../errors.ts';
import { type DecodedPacket, decodePacket, encodePacket } from '../wire/packet.ts';
import { encodeStream, StreamDecoder, type StreamMessage } from '../wire/stream.ts';

/** Connections served at one time; memberlist refuses more push/pulls than this. */
const MAX_CONNECTIONS = 128;

/** Bytes of one stream; above any state and member list that passes its own limits. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;

/** Undecoded bytes of all accepted streams together. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** A stream may take this many TCP time-outs in all, so that a trickle does not hold a place for ever. */
const MAX_STREAM_TIMEOUTS = 6;

const MAX_PORT_ATTEMPTS = 16;

export type TransportHandlers = {
  onPacket(packet: DecodedPacket, from: Address): void;
  /** The answer to a message on an accepted stream, or null for none; `after` runs once it is written. */
  onStream(
    message: StreamMessage,
    from: Address,
  ): { readonly reply: StreamMessage; readonly after: () => void } | null;
  /** Bytes that were no gossip, or too much of it. */
  onRefused(error: OperatingError, from: Address): void;
};

export type TransportOptions = {
  readonly net: Net;
  readonly monotonic: () => number;
  readonly listen: Address;
  readonly label: string;
  readonly tcpTimeoutMs: number;
};

/** UDP and TCP on one port, as bytes of the protocol; what arrives broken is reported and dropped. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #handlers: TransportHandlers;
  #udp: UdpSocket | null = null;
  #tcp: Listener | null = null;
  #connections = 0;
  #pendingBytes = 0;
  readonly #abort = new AbortController();

  constructor(options: TransportOptions, handlers: TransportHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    // Every connection under way listens.
    setMaxListeners(0, this.#abort.signal);
  }

  /** Binds both; with port 0 they share a free one. Returns the bound address. */
  async start(): Promise<Address> {
    const { net, listen } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const tcp = await net.listenTcp(listen, (connection) => void this.#serve(connection));
      try {
        const at = { host: listen.host, port: tcp.address.port };
        this.#udp = await net.bindUdp(at, (data, from) => {
          this.#handlers.onPacket(decodePacket(data, this.#options.label), from);
        });
        this.#tcp = tcp;
        return at;
      } catch (error) {
        await tcp.close(0);
        const isTaken = listen.port === 0 && systemCode(error) === 'EADDRINUSE';
        if (!isTaken || attempt === MAX_PORT_ATTEMPTS) throw error;
      }
    }
  }

  send(messages: readonly Uint8Array[], to: Address, withChecksum: boolean): void {
    const { label } = this.#options;
    this.#udp?.send(encodePacket(messages, { withChecksum, label }), to);
  }

  /** One request over TCP; waits for an answer when `wantsReply`. Rejects with an OperatingError. */
  async request(
    to: Address,
    message: StreamMessage,
    options: { readonly wantsReply: boolean; readonly timeoutMs?: number },
  ): Promise<StreamMessage | null> {
    const timeoutMs = options.timeoutMs ?? this.#options.tcpTimeoutMs;
    const connection = await this.#options.net.connectTcp(to, {
      timeoutMs,
      signal: this.#abort.signal,
    });
    try {
      await connection.write(encodeStream(message, this.#options.label));
      if (!options.wantsReply) return null;
      const reply = await this.#read(connection, new StreamDecoder(null), timeoutMs);
      if (reply === null) throw new PeerError('the peer closed the connection without an answer');
      if (reply.kind === 'error') throw new PeerError(`the peer answered: ${reply.text}`);
      return reply;
    } finally {
      connection.close();
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new PeerError('this member is shutting down'));
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = null;
    this.#tcp = null;
    await Promise.all([udp?.close(), tcp?.close(0)]);
  }

  async #serve(connection: TcpConnection): Promise<void> {
    if (this.#connections >= MAX_CONNECTIONS) {
      connection.close();
      const error = new WireError('GOSSIP.TOO_LARGE', `more than ${MAX_CONNECTIONS} connections`);
      this.#handlers.onRefused(error, connection.remote);
      return;
    }
    this.#connections++;
    try {
      await this.#answer(connection);
    } catch (error) {
      // Broken connections are the peer's or the network's doing and arrive as system errors.
      const refused = OperatingError.is(error)
        ? error
        : new PeerError('connection lost', { cause: error });
      this.#handlers.onRefused(refused, connection.remote);
    } finally {
      this.#connections--;
      connection.close();
    }
  }

  async #answer(connection: TcpConnection): Promise<void> {
    const { label, tcpTimeoutMs } = this.#options;
    let message: StreamMessage | null;
    try {
      message = await this.#read(connection, new StreamDecoder(label), tcpTimeoutMs);
    } catch (error) {
      if (error instanceof WireError && error.code !== 'GOSSIP.LABEL') {
        await connection.write(encodeStream({ kind: 'error', text: error.message }));
      }
      throw error;
    }
    if (message === null) return;
    const answer = this.#handlers.onStream(message, connection.remote);
    if (answer === null) return;
    await connection.write(encodeStream(answer.reply));
    answer.after();
  }

  /** The one message of a stream, or null when it ends before its first byte. */
  async #read(
    connection: TcpConnection,
    decoder: StreamDecoder,
    timeoutMs: number,
  ): Promise<StreamMessage | null> {
    const endMs = this.#options.monotonic() + MAX_STREAM_TIMEOUTS * timeoutMs;
    try {
      for (;;) {
        const leftMs = endMs - this.#options.monotonic();
        const chunk = leftMs <= 0 ? null : await connection.read(Math.min(timeoutMs, leftMs));
        if (chunk === null) {
          if (decoder.size === 0 && leftMs > 0) return null;
          throw new WireError('GOSSIP.MALFORMED', 'the stream ends in the middle of a message');
        }
        this.#pendingBytes += chunk.length;
        decoder.push(chunk);
        if (decoder.size > MAX_STREAM_BYTES || this.#pendingBytes > MAX_PENDING_BYTES) {
          throw new WireError('GOSSIP.TOO_LARGE', `a stream of more than ${decoder.size} bytes`);
        }
        const message = decoder.next();
        if (message !== null) return message;
      }
    } finally {
      this.#pendingBytes -= decoder.size;
    }
  }
}
