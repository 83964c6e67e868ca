import { setMaxListeners } from 'node:events';
import {
  type Address,
  errorText,
  type Listener,
  OperatingError,
  type TcpConnection,
} from '@pollux/base';
import { PeerError, TlsError, WireError } from '../errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../wire/frame.ts';
import { formatAddress, parseIp } from '../wire/ip.ts';
import { decodePacket, encodePacket } from '../wire/packet.ts';
import type { StreamMessage } from '../wire/stream.ts';
import { parsePeer } from './options.ts';
import { PacketLink } from './packet-link.ts';
import { Streams, type StreamsOptions } from './streams.ts';
import type { TlsMetrics } from './tls-metrics.ts';
import type { GossipTls, RequestOptions, Transport, TransportHandlers } from './transport.ts';

/** Accepted connections at one time, most of which carry packets and stay. */
const MAX_ACCEPTED = 1_024;
/** Members that packets go to over connections of their own; memberlist's pool is as large. */
const MAX_LINKS = 1_024;
/** A connection for packets without any is closed after this; its sender makes a new one. */
const IDLE_MS = 10 * 60_000;

export type TlsTransportOptions = StreamsOptions & {
  readonly listen: Address;
  readonly tls: GossipTls;
  readonly metrics: TlsMetrics;
};

/** Everything over TLS on one TCP port, as Alertmanager does it with `--cluster.tls-config`; there is no UDP. */
export class TlsTransport implements Transport {
  readonly #options: TlsTransportOptions;
  readonly #handlers: TransportHandlers;
  readonly #streams: Streams;
  readonly #links = new Map<string, PacketLink>();
  readonly #abort = new AbortController();
  #listener: Listener | null = null;
  #accepted = 0;

  constructor(options: TlsTransportOptions, handlers: TransportHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#streams = new Streams(options, handlers);
    setMaxListeners(0, this.#abort.signal);
  }

  async start(): Promise<Address> {
    const { net, listen } = this.#options;
    this.#listener = await net.listenTcp(listen, (connection) => void this.#accept(connection));
    return { host: listen.host, port: this.#listener.address.port };
  }

  send(messages: readonly Uint8Array[], to: Address, withChecksum: boolean): void {
    if (this.#abort.signal.aborted) return;
    const packet = encodePacket(messages, { withChecksum, label: this.#options.label });
    const from = this.#listener?.address ?? this.#options.listen;
    const frame = encodeFrame({
      kind: 'packet',
      from: formatAddress(from.host, from.port),
      packet,
    });
    this.#link(to).send(frame, packet.length);
  }

  async request(
    to: Address,
    message: StreamMessage,
    { wantsReply, timeoutMs = this.#options.tcpTimeoutMs }: RequestOptions,
  ): Promise<StreamMessage | null> {
    const { metrics } = this.#options;
    const connection = await this.#connect(to, timeoutMs);
    metrics.streamsSent.inc();
    try {
      // On its own: the original loses what comes in the same record behind a frame.
      await this.#streams.write(connection, encodeFrame({ kind: 'stream' }), timeoutMs);
      return await this.#streams.ask(connection, message, { wantsReply, timeoutMs });
    } catch (error) {
      metrics.writeErrors.with('stream').inc();
      throw error;
    } finally {
      connection.close();
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new PeerError('this member is shutting down'));
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    const listener = this.#listener;
    this.#listener = null;
    await listener?.close(0);
  }

  async #connect(to: Address, timeoutMs: number): Promise<TcpConnection> {
    const { net, tls } = this.#options;
    const plain = await net.connectTcp(to, { timeoutMs, signal: this.#abort.signal });
    try {
      if (plain.startTls === undefined) throw new PeerError('this network has no TLS');
      // Members are known by their addresses: without another name it is the address that the certificate must be for.
      return await plain.startTls({ serverName: to.host, ...tls.client() }, timeoutMs);
    } catch (error) {
      plain.close();
      throw asTlsError(error, to);
    }
  }

  /** The one least lately used makes room. */
  #link(to: Address): PacketLink {
    const key = formatAddress(to.host, to.port);
    const link =
      this.#links.get(key) ??
      new PacketLink({
        connect: (timeoutMs) => this.#connect(to, timeoutMs),
        write: (connection, frame) => this.#streams.write(connection, frame),
        tcpTimeoutMs: this.#options.tcpTimeoutMs,
        metrics: this.#options.metrics,
        onFailure: (error) => this.#refuse(error, to),
      });
    this.#links.delete(key);
    this.#links.set(key, link);
    const [oldest] = this.#links;
    if (this.#links.size > MAX_LINKS && oldest !== undefined) {
      oldest[1].close();
      this.#links.delete(oldest[0]);
    }
    return link;
  }

  async #accept(plain: TcpConnection): Promise<void> {
    const { tls, tcpTimeoutMs, metrics } = this.#options;
    if (this.#accepted >= MAX_ACCEPTED) {
      plain.close();
      const error = new WireError('GOSSIP.TOO_LARGE', `more than ${MAX_ACCEPTED} connections`);
      this.#handlers.onRefused(error, plain.remote);
      return;
    }
    this.#accepted++;
    let connection: TcpConnection | null = null;
    try {
      if (plain.acceptTls === undefined) throw new PeerError('this network has no TLS');
      connection = await plain.acceptTls(tls.server(), tcpTimeoutMs).catch((error: unknown) => {
        throw asTlsError(error, plain.remote);
      });
      await this.#serve(connection);
    } catch (error) {
      metrics.readErrors.inc();
      this.#refuse(error, plain.remote);
    } finally {
      this.#accepted--;
      (connection ?? plain).close();
    }
  }

  async #serve(connection: TcpConnection): Promise<void> {
    const { tcpTimeoutMs, metrics } = this.#options;
    const decoder = new FrameDecoder();
    const first = await nextFrame(connection, decoder, tcpTimeoutMs);
    if (first?.kind === 'stream') {
      metrics.streamsReceived.inc();
      await this.#streams.serve(new ReadAhead(connection, decoder.rest));
      return;
    }
    let frame: Frame | null = first;
    for (; frame !== null; frame = await nextFrame(connection, decoder, IDLE_MS)) {
      if (frame.kind === 'stream') {
        throw new WireError('GOSSIP.MALFORMED', 'a stream begins behind packets');
      }
      metrics.packetBytesReceived.inc(frame.packet.length);
      const from = senderOf(frame.from, connection.remote);
      this.#handlers.onPacket(decodePacket(frame.packet, this.#options.label), from);
    }
  }

  #refuse(error: unknown, from: Address): void {
    if (this.#abort.signal.aborted) return;
    const refused = OperatingError.is(error)
      ? error
      : new PeerError('connection lost', { cause: error });
    this.#handlers.onRefused(refused, from);
  }
}

/** Null at the end of the connection. */
async function nextFrame(
  connection: TcpConnection,
  decoder: FrameDecoder,
  timeoutMs: number,
): Promise<Frame | null> {
  for (;;) {
    const frame = decoder.next();
    if (frame !== null) return frame;
    const chunk = await connection.read(timeoutMs);
    if (chunk === null) {
      if (decoder.rest.length === 0) return null;
      throw new WireError('GOSSIP.MALFORMED', 'the connection ends in the middle of a frame');
    }
    decoder.push(chunk);
  }
}

/** Where the sender says it listens, which may be an any-address or a name; then where it really sits. */
function senderOf(said: string, remote: Address): Address {
  try {
    const address = parsePeer(said);
    return parseIp(address.host) === null ? remote : address;
  } catch {
    return remote;
  }
}

function asTlsError(error: unknown, peer: Address): OperatingError {
  const at = formatAddress(peer.host, peer.port);
  return new TlsError(`no TLS session with ${at}: ${errorText(error)}`, { cause: error });
}

/** A connection of which some bytes have been read already. */
class ReadAhead implements TcpConnection {
  readonly remote: Address;
  readonly #inner: TcpConnection;
  #ahead: Uint8Array;

  constructor(inner: TcpConnection, ahead: Uint8Array) {
    this.#inner = inner;
    this.#ahead = ahead;
    this.remote = inner.remote;
  }

  async read(timeoutMs: number): Promise<Uint8Array | null> {
    if (this.#ahead.length === 0) return this.#inner.read(timeoutMs);
    const ahead = this.#ahead;
    this.#ahead = new Uint8Array(0);
    return ahead;
  }

  write(data: Uint8Array): Promise<void> {
    return this.#inner.write(data);
  }

  close(): void {
    this.#inner.close();
  }
}
