import type { Address, OperatingError, TlsClientOptions, TlsServerOptions } from '@pollux/base';
import type { DecodedPacket } from '../wire/packet.ts';
import type { StreamMessage } from '../wire/stream.ts';

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

export type RequestOptions = { readonly wantsReply: boolean; readonly timeoutMs?: number };

/** How bytes of the protocol travel between members; what arrives broken is reported and dropped. */
export interface Transport {
  /** Binds; with port 0 to a free one. Returns the bound address. */
  start(): Promise<Address>;
  /** One packet; it may get lost. */
  send(messages: readonly Uint8Array[], to: Address, withChecksum: boolean): void;
  /** One message on a stream of its own; waits for an answer when `wantsReply`. Rejects with an OperatingError. */
  request(
    to: Address,
    message: StreamMessage,
    options: RequestOptions,
  ): Promise<StreamMessage | null>;
  close(): Promise<void>;
}

/** Certificates, keys and what is asked of the other side; asked for each connection, so that renewed files take effect. */
export type GossipTls = {
  server(): TlsServerOptions;
  client(): TlsClientOptions;
};
