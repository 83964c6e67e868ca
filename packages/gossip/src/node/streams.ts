import {
  type Clock,
  type Net,
  OperatingError,
  type TcpConnection,
  withTimeout,
} from '@pollux/base';
import { PeerError, WireError } from '../errors.ts';
import { encodeStream, StreamDecoder, type StreamMessage } from '../wire/stream.ts';
import type { TransportHandlers } from './transport.ts';

/** Connections served at one time; memberlist refuses more push/pulls than this. */
const MAX_CONNECTIONS = 128;

/** Bytes of one stream; above any state and member list that passes its own limits. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;

/** Undecoded bytes of all accepted streams together. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** A stream may take this many TCP time-outs in all, so that a trickle does not hold a place for ever. */
const MAX_STREAM_TIMEOUTS = 6;

export type StreamsOptions = {
  readonly clock: Clock;
  readonly net: Net;
  readonly label: string;
  readonly tcpTimeoutMs: number;
};

/** Streams of one message and at most one answer, within bounds of number, size and time. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #handlers: TransportHandlers;
  #connections = 0;
  #pendingBytes = 0;

  constructor(options: StreamsOptions, handlers: TransportHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Serves an accepted connection to its end; `work` may take it over before its message is read. */
  async serve(
    connection: TcpConnection,
    work: (connection: TcpConnection) => Promise<void> = (accepted) => this.answer(accepted),
  ): Promise<void> {
    if (this.#connections >= MAX_CONNECTIONS) {
      connection.close();
      const error = new WireError('GOSSIP.TOO_LARGE', `more than ${MAX_CONNECTIONS} connections`);
      this.#handlers.onRefused(error, connection.remote);
      return;
    }
    this.#connections++;
    try {
      await work(connection);
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

  /** Reads the message of an accepted stream and answers it. */
  async answer(connection: TcpConnection): Promise<void> {
    const { label, tcpTimeoutMs } = this.#options;
    let message: StreamMessage | null;
    try {
      message = await this.#read(connection, new StreamDecoder(label), tcpTimeoutMs);
    } catch (error) {
      if (error instanceof WireError && error.code !== 'GOSSIP.LABEL') {
        await this.write(connection, encodeStream({ kind: 'error', text: error.message }));
      }
      throw error;
    }
    if (message === null) return;
    const answer = this.#handlers.onStream(message, connection.remote);
    if (answer === null) return;
    await this.write(connection, encodeStream(answer.reply));
    answer.after();
  }

  /** The other side: one request, and its answer when one is wanted. The caller closes the connection. */
  async ask(
    connection: TcpConnection,
    message: StreamMessage,
    { wantsReply, timeoutMs }: { readonly wantsReply: boolean; readonly timeoutMs: number },
  ): Promise<StreamMessage | null> {
    await this.write(connection, encodeStream(message, this.#options.label), timeoutMs);
    if (!wantsReply) return null;
    const reply = await this.#read(connection, new StreamDecoder(null), timeoutMs);
    if (reply === null) throw new PeerError('the peer closed the connection without an answer');
    if (reply.kind === 'error') throw new PeerError(`the peer answered: ${reply.text}`);
    return reply;
  }

  /** A peer that reads nothing must not hold the connection: rejects with a TimeoutError. */
  async write(
    connection: TcpConnection,
    data: Uint8Array,
    timeoutMs = this.#options.tcpTimeoutMs,
  ): Promise<void> {
    const { clock } = this.#options;
    await withTimeout(clock, timeoutMs, 'writing to a peer', () => connection.write(data));
  }

  /** The one message of a stream, or null when it ends before its first byte. */
  async #read(
    connection: TcpConnection,
    decoder: StreamDecoder,
    timeoutMs: number,
  ): Promise<StreamMessage | null> {
    const endMs = this.#options.clock.monotonic() + MAX_STREAM_TIMEOUTS * timeoutMs;
    try {
      for (;;) {
        const leftMs = endMs - this.#options.clock.monotonic();
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
