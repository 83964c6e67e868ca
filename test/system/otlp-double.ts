import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { ByteReader } from '@pollux/base';

export type ReceivedSpan = {
  readonly traceId: string;
  readonly id: string;
  /** Empty for a root. */
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly service: string;
};

/** An OTLP collector that keeps what it is sent, over HTTP with protobuf, and over gRPC without TLS. */
export class OtlpDouble {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** How it treats the next requests. */
  mood: 'takes' | 'refuses' | 'hangs' = 'takes';
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  readonly #tls: { readonly cert: string; readonly key: string } | null;

  constructor(tls: { readonly cert: string; readonly key: string } | null = null) {
    this.#tls = tls;
  }

  /** The port for `client_type: http`. */
  async startHttp(): Promise<number> {
    const answer: RequestListener = (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        this.headers.push({ ...request.headers, path: `${request.method} ${request.url}` });
        if (this.mood === 'hangs') return;
        if (this.mood === 'refuses') {
          response.writeHead(400).end();
          return;
        }
        const body = Buffer.concat(parts);
        this.#take(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    };
    return this.#listen(
      this.#tls === null ? createServer(answer) : https.createServer(this.#tls, answer),
    );
  }

  /** The port for `client_type: grpc`. */
  async startGrpc(): Promise<number> {
    const server = this.#tls === null ? http2.createServer() : http2.createSecureServer(this.#tls);
    server.on('stream', (stream, headers) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        this.headers.push({ ...headers, path: String(headers[':path']) });
        const body = Buffer.concat(parts);
        const message = body.subarray(5);
        this.#take(body[0] === 1 ? gunzipSync(message) : message);
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5));
      });
    });
    return this.#listen(server);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  async #listen(server: Server): Promise<number> {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  /** An ExportTraceServiceRequest: resource_spans 1 of resource 1 and scope_spans 2 of spans 2. */
  #take(request: Uint8Array): void {
    for (const resourceSpans of all(request, 1)) {
      const service = String(attributesOf(all(resourceSpans, 1)[0], 1)['service.name']);
      for (const scopeSpans of all(resourceSpans, 2)) {
        for (const span of all(scopeSpans, 2)) this.spans.push(spanOf(span, service));
      }
    }
  }
}

function spanOf(span: Uint8Array, service: string): ReceivedSpan {
  const hex = (number: number): string => Buffer.from(all(span, number)[0] ?? []).toString('hex');
  const status = all(span, 15)[0];
  return {
    traceId: hex(1),
    id: hex(2),
    parentId: hex(4),
    name: text(all(span, 5)[0]),
    kind: varint(span, 6) ?? 0,
    attributes: attributesOf(span, 9),
    status: status === undefined ? 0 : (varint(status, 3) ?? 0),
    service,
  };
}

function attributesOf(
  message: Uint8Array | undefined,
  number: number,
): Record<string, string | number | boolean> {
  const out: Record<string, string | number | boolean> = {};
  for (const pair of all(message ?? new Uint8Array(0), number)) {
    const value = all(pair, 2)[0] ?? new Uint8Array(0);
    const flag = varint(value, 2);
    const [string] = all(value, 1);
    out[text(all(pair, 1)[0])] =
      string !== undefined ? text(string) : flag === null ? (varint(value, 3) ?? 0) : flag === 1;
  }
  return out;
}

const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();

/** All fields of one number that have a length. */
function all(message: Uint8Array, number: number): Uint8Array[] {
  return fields(message).flatMap((field) =>
    field.number === number && typeof field.value !== 'number' ? [field.value] : [],
  );
}

function varint(message: Uint8Array, number: number): number | null {
  const found = fields(message).find((field) => field.number === number);
  return typeof found?.value === 'number' ? found.value : null;
}

function fields(message: Uint8Array): { number: number; value: number | Uint8Array }[] {
  const reader = new ByteReader(message);
  const out: { number: number; value: number | Uint8Array }[] = [];
  while (reader.remaining > 0) {
    const tag = reader.uvarint();
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) out.push({ number, value: Number(reader.uvarint64()) });
    else
      out.push({ number, value: reader.raw(wire === 1 ? 8 : wire === 5 ? 4 : reader.uvarint()) });
  }
  return out;
}
