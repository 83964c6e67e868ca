import { setMaxListeners } from 'node:events';
import { type Address, type Listener, systemCode, type UdpSocket } from '@pollux/base';
import { PeerError } from '../errors.ts';
import { decodePacket, encodePacket } from '../wire/packet.ts';
import type { StreamMessage } from '../wire/stream.ts';
import { Streams, type StreamsOptions } from './streams.ts';
import type { RequestOptions, Transport, TransportHandlers } from './transport.ts';

const MAX_PORT_ATTEMPTS = 16;

export type PlainTransportOptions = StreamsOptions & { readonly listen: Address };

type Encoded = {
  readonly messages: readonly Uint8Array[];
  readonly withChecksum: boolean;
  readonly data: Uint8Array;
};

/** UDP and TCP on one port. */
export class PlainTransport implements Transport {
  readonly #options: PlainTransportOptions;
  readonly #handlers: TransportHandlers;
  readonly #streams: Streams;
  #udp: UdpSocket | null = null;
  #tcp: Listener | null = null;
  readonly #abort = new AbortController();
  /** The packet that was sent last: news go to all members, one behind the other. */
  #last: Encoded | null = null;

  constructor(options: PlainTransportOptions, handlers: TransportHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#streams = new Streams(options, handlers);
    // Every connection under way listens.
    setMaxListeners(0, this.#abort.signal);
  }

  async start(): Promise<Address> {
    const { net, listen } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const tcp = await net.listenTcp(listen, (connection) => {
        void this.#streams.serve(connection);
      });
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
    if (this.#last?.messages !== messages || this.#last.withChecksum !== withChecksum) {
      const { label } = this.#options;
      const data = encodePacket(messages, { withChecksum, label });
      this.#last = { messages, withChecksum, data };
    }
    this.#udp?.send(this.#last.data, to);
  }

  async request(
    to: Address,
    message: StreamMessage,
    { wantsReply, timeoutMs = this.#options.tcpTimeoutMs }: RequestOptions,
  ): Promise<StreamMessage | null> {
    const { signal } = this.#abort;
    const connection = await this.#options.net.connectTcp(to, { timeoutMs, signal });
    try {
      return await this.#streams.ask(connection, message, { wantsReply, timeoutMs });
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
}
