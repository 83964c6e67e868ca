import { BoundedQueue, type TcpConnection } from '@pollux/base';
import { isPeerFailure } from '../errors.ts';
import type { TlsMetrics } from './tls-metrics.ts';

/** Packets that wait; further ones are lost, as UDP would lose them. */
const MAX_WAITING = 256;

type Waiting = { readonly frame: Uint8Array; readonly packetBytes: number };

export type PacketLinkOptions = {
  readonly connect: (timeoutMs: number) => Promise<TcpConnection>;
  readonly write: (connection: TcpConnection, frame: Uint8Array) => Promise<void>;
  readonly tcpTimeoutMs: number;
  readonly metrics: TlsMetrics;
  readonly onFailure: (error: unknown) => void;
};

/**
 * Packets to one member over one connection that is kept. A frame is handed over only when the one before has gone: the
 * original loses the second of two frames in one TLS record.
 */
export class PacketLink {
  readonly #options: PacketLinkOptions;
  readonly #waiting = new BoundedQueue<Waiting>(MAX_WAITING);
  #connection: TcpConnection | null = null;
  #isBusy = false;
  #isClosed = false;

  constructor(options: PacketLinkOptions) {
    this.#options = options;
  }

  send(frame: Uint8Array, packetBytes: number): void {
    if (!this.#waiting.push({ frame, packetBytes })) {
      this.#options.metrics.writeErrors.with('packet').inc();
      return;
    }
    if (!this.#isBusy) void this.#drain();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#connection?.close();
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#deliver(next.frame);
        this.#options.metrics.packetBytesSent.inc(next.packetBytes);
      } catch (error) {
        if (!isPeerFailure(error)) throw error;
        this.#options.metrics.writeErrors.with('packet').inc();
        this.#options.onFailure(error);
        // Nobody is there: what waits would only wait for the next time-out.
        this.#waiting.clear();
      }
      if (this.#isClosed) break;
    }
    this.#isBusy = false;
  }

  /** Over the connection there is; when that turns out to be broken, once more over a new one. */
  async #deliver(frame: Uint8Array): Promise<void> {
    if (this.#connection !== null) {
      try {
        await this.#options.write(this.#connection, frame);
        return;
      } catch (error) {
        this.#drop();
        if (!isPeerFailure(error) || this.#isClosed) throw error;
      }
    }
    const connection = await this.#options.connect(this.#options.tcpTimeoutMs);
    if (this.#isClosed) {
      connection.close();
      return;
    }
    this.#connection = connection;
    try {
      await this.#options.write(connection, frame);
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}
