import { OperatingError } from './errors.ts';
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
  /**
   * Loads what the first {@link request} would, which holds the thread for a while: one is to come soon. Null when it is loaded; never
   * rejects.
   */
  expectRequests?(): Promise<void> | null;
  /** Connections to one server that are kept for many requests, whose answers are passed on as they come. */
  openPool(options: HttpPoolOptions): HttpPool;
  /** Addresses of a host name; an address resolves to itself. */
  resolve(host: string, signal?: StopSignal): Promise<string[]>;
}

export interface HttpPool {
  /** Resolves with the head of an answer of any status; rejects with {@link ExchangeError}, or CanceledError. */
  exchange(request: HttpPoolRequest): Promise<HttpPoolResponse>;
  /** Cuts what is under way. Idempotent. */
  close(): Promise<void>;
}

export type HttpPoolOptions = {
  /** Scheme, host and port: `http://127.0.0.1:9090`. */
  readonly origin: string;
  readonly connectTimeoutMs: number;
  /** An unused connection is closed after this time. */
  readonly keepAliveMs: number;
  readonly tls?: TlsClientOptions;
};

export type HttpPoolRequest = {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** As they go out: what concerns the connection alone must not be among them. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
  /** Longest wait for the head of the answer once the request is out. */
  readonly headTimeoutMs: number;
  /** Longest wait between two pieces of the body. */
  readonly bodyTimeoutMs: number;
  /** Ends the exchange at any time, within the body too. */
  readonly signal?: StopSignal;
};

export type HttpPoolResponse = {
  readonly status: number;
  /** Lower-case names; those that were repeated as lists. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /**
   * Not decoded. Bytes when the whole body came together with the head, else pieces; these must be read, or returned from,
   * and throw {@link ExchangeError} where the body breaks off.
   */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
};

/** An exchange that had no answer, or only the beginning of one. */
export class ExchangeError extends OperatingError {
  /** False when no connection could be made, so that the server cannot have seen the request. */
  readonly isSent: boolean;
  readonly isTimeout: boolean;
  /** The connection was one that was kept from an earlier exchange: the server may just have closed it. */
  readonly isKept: boolean;

  constructor(
    what: string,
    how: {
      readonly isSent: boolean;
      readonly isTimeout: boolean;
      readonly isKept?: boolean;
      readonly cause?: unknown;
    },
  ) {
    super('BASE.EXCHANGE', what, { cause: how.cause });
    this.isSent = how.isSent;
    this.isTimeout = how.isTimeout;
    this.isKept = how.isKept === true;
  }
}

export interface Listener {
  readonly address: Address;
  /** Stops accepting, lets requests in flight finish for `graceMs`, then cuts. */
  close(graceMs?: number): Promise<void>;
  /** New connections get these certificates; absent for a listener without TLS. */
  renewTls?(tls: HttpServeTls): void;
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
  /** Nothing more will be written; what the peer says may still be read. Absent where a connection has one end for both ways. */
  end?(): void;
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
  /** As in the request's first line; HTTP/1.1 when absent. */
  readonly protocol?: string;
  /** Of a connection with TLS. */
  readonly tls?: RequestTls;
};

/** What the handshake told. */
export type RequestTls = {
  /** As the client asked for; empty when it did not. */
  readonly serverName: string;
  /** Null when the client gave none. */
  readonly clientCertificate: {
    readonly subject: string;
    /** Its subject alternative names, without their kinds: `example.org`, `10.0.0.1`, `::1`, `a@example.org`, `spiffe://a/b`. */
    readonly names: readonly string[];
    /** Why it was not verified; null when it was. */
    readonly fault: string | null;
  } | null;
};

export type HttpResponse = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  /**
   * Takes the connection instead of an answer, of which nothing is written then. Only for a request with `upgrade`, from
   * a server that takes these ({@link HttpServeOptions.takesUpgrades}).
   */
  readonly takeOver?: (client: TcpConnection) => void;
};

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

export type HttpServeOptions = {
  readonly at: Address;
  /** A listening socket that this process was started with; it is taken, and `at` is not opened. */
  readonly descriptor?: number;
  /** Concurrent connections; over it new ones are refused. */
  readonly maxConnections: number;
  /** Longest wait for a request's headers and body, and for a client that does not take a streamed answer, ms. */
  readonly readTimeoutMs: number;
  readonly tls?: HttpServeTls;
  /** Requests that ask for another protocol come to the handler, whose answer may take the connection. Default false. */
  readonly takesUpgrades?: boolean;
};

/** PEM texts. */
export type ServerCertificate = {
  readonly certificate: string;
  readonly key: string;
  /** Verifies clients' certificates. */
  readonly clientCa?: string;
};

/** Without `clients` no certificate is refused before a request: whoever answers looks at {@link HttpRequest.tls}. */
export type HttpServeTls = ServerCertificate & {
  /** For the name that a client asks for; null for the default. The same name gives the same object. */
  readonly byServerName?: (serverName: string) => ServerCertificate | null;
  /** Default false. */
  readonly asksClientCertificates?: boolean;
  readonly clients?: ClientAdmission;
} & TlsHandshake;

/** Which clients a handshake lets in. */
export type ClientAdmission = {
  /** Whether a handshake without a verified certificate fails, with the alert that the client can tell of. */
  readonly needVerified: boolean;
  /** Why a client is not let in whose handshake succeeded, null when it is; its connection is closed then. */
  readonly refusal: (client: RequestTls) => string | null;
  /** Told of every handshake that failed, and of every refusal; `from` is the client's address, empty when it is gone already. */
  readonly onRefused: (why: string, from: string) => void;
};

/** What a server agrees to in a handshake. */
export type TlsHandshake = {
  /** OpenSSL's names, for TLS up to 1.2. */
  readonly ciphers?: string;
  /** OpenSSL's names. */
  readonly curves?: string;
  /** Default 1.2. */
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
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
  /** HTTP/2 where a server of an https address prefers it; not by way of a proxy. Default false. */
  readonly http2?: boolean;
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
export type TlsServerOptions = TlsHandshake & {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuth: TlsClientAuth;
  readonly clientCa?: string;
};

export type HttpClientResponse = {
  readonly status: number;
  readonly headers: Headers;
  /** Decoded from gzip or deflate when the server compressed. */
  readonly body: Uint8Array;
};
