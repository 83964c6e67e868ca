import type { StopSignal } from './stop-signal.ts';

/** A host and a port; `host` is an address or a name, never with brackets. */
export type Address = { readonly host: string; readonly port: number };

/** Sockets and HTTP as the program sees them; the simulator's implementation delays, drops and partitions. */
export interface Net {
  bindUdp(at: Address, onPacket: (data: Uint8Array, from: Address) => void): Promise<UdpSocket>;
  listenTcp(at: Address, onConnection: (connection: TcpConnection) => void): Promise<Listener>;
  /** Rejects after `timeoutMs` or when `signal` aborts. */
  connectTcp(
    to: Address,
    options: { timeoutMs: number; signal?: StopSignal },
  ): Promise<TcpConnection>;
  serveHttp(options: HttpServeOptions, handler: HttpHandler): Promise<Listener>;
  /** One HTTP exchange. Rejects on connection errors and time-outs, resolves for every status. */
  request(request: HttpClientRequest): Promise<HttpClientResponse>;
  /** Addresses of a host name; an address resolves to itself. */
  resolve(host: string, signal?: StopSignal): Promise<string[]>;
}

export interface Listener {
  readonly address: Address;
  /** Stops accepting, lets requests in flight finish for `graceMs`, then cuts. */
  close(graceMs?: number): Promise<void>;
}

export interface UdpSocket {
  readonly address: Address;
  send(data: Uint8Array, to: Address): void;
  close(): Promise<void>;
}

export interface TcpConnection {
  readonly remote: Address;
  /** Resolves when the bytes are handed over; rejects once the connection is broken. */
  write(data: Uint8Array): Promise<void>;
  /** Next bytes, or null at the end of the stream. Only one read at a time. Rejects after `timeoutMs` without any. */
  read(timeoutMs: number): Promise<Uint8Array | null>;
  close(): void;
  /**
   * Goes on as the client of a TLS session over this connection, which must not be used any more; what was read ahead is
   * lost, so the peer must have been silent. Absent where the network has no TLS.
   */
  startTls?(options: TlsClientOptions, timeoutMs: number): Promise<TcpConnection>;
  /** The same as the server of the session; nothing may have been read or written before. */
  acceptTls?(options: TlsServerOptions, timeoutMs: number): Promise<TcpConnection>;
}

/** Lower-case names. Repeated headers are joined by ", ". */
export type Headers = Readonly<Record<string, string>>;

/** Who sent a request, as the HTTP door found out; travels to every handler. */
export type Principal = {
  /** Empty for nobody in particular (no authentication configured). */
  readonly user: string;
  readonly scopes: ReadonlySet<Scope>;
};
export type Scope = 'read' | 'write' | 'alert' | 'admin';

export const EVERYONE: Principal = {
  user: '',
  scopes: new Set<Scope>(['read', 'write', 'alert', 'admin']),
};

export type HttpRequest = {
  readonly method: string;
  /** Path and query as sent: `/api/v1/query?query=up`. */
  readonly target: string;
  readonly headers: Headers;
  readonly remote: Address;
  /** Reads the whole body; rejects with a LimitError over `limitBytes`. At most once. */
  body(limitBytes: number): Promise<Uint8Array>;
  /** The body as it comes; either this or `body`, once. */
  stream(): AsyncIterable<Uint8Array>;
  /** Aborts when the client goes away. */
  readonly signal: StopSignal;
  readonly principal: Principal;
};

export type HttpResponse = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
};

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

export type HttpServeOptions = {
  readonly at: Address;
  /** Concurrent connections; over it new ones are refused. */
  readonly maxConnections: number;
  /** Longest wait for a request's headers and body, and for a client that does not take a streamed answer, ms. */
  readonly readTimeoutMs: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
};

export type HttpClientRequest = {
  readonly method: string;
  /** Absolute: `http://127.0.0.1:9090/metrics`. */
  readonly url: string;
  readonly headers?: Headers;
  readonly body?: Uint8Array | string;
  /** For the whole exchange up to the last body byte. */
  readonly timeoutMs: number;
  readonly signal?: StopSignal;
  /** Larger answers reject with a LimitError. Default 64 MiB. */
  readonly maxBodyBytes?: number;
  readonly tls?: TlsClientOptions;
  readonly proxy?: HttpProxy;
};

/** A proxy for requests: plain ones are forwarded, those over TLS tunnelled. User and password are in the address. */
export type HttpProxy = {
  readonly url: string;
  /** Sent with CONNECT. */
  readonly connectHeaders?: Headers;
};

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export type TlsClientOptions = {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify?: boolean;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
};

/** What a server asks of its clients' certificates; names as Go's: any, one of `clientCa`, or none. */
export type TlsClientAuth =
  | 'none'
  | 'request'
  | 'require-any'
  | 'verify-if-given'
  | 'require-and-verify';

/** Certificates and keys are PEM texts. */
export type TlsServerOptions = {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuth: TlsClientAuth;
  readonly clientCa?: string;
  /** OpenSSL's names, for TLS up to 1.2. */
  readonly ciphers?: string;
  readonly curves?: string;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
};

export type HttpClientResponse = {
  readonly status: number;
  readonly headers: Headers;
  /** Decoded from gzip or deflate when the server compressed. */
  readonly body: Uint8Array;
};
