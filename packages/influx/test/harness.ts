import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type Env, EVERYONE, type HttpHandler, type HttpResponse, type Random } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkFrameWriter,
  decodeLabels,
  decodeReadRequest,
  encodeReadResponse,
  QueryResultEncoder,
  readLabelSpans,
  snappyDecode,
  snappyEncode,
  WriteReader,
  type WriteReaderOptions,
} from '@pollux/remote';
import { ShardQueryable, ShardStore } from '@pollux/shards';
import { NO_HINTS } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import {
  decodeInfluxConfig,
  InfluxService,
  type PrometheusCodec,
  registerInflux,
} from '../src/index.ts';

/** The remote room's codecs behind this room's face, as `roles` binds them. */
export function codecOf(random: Random, reading: WriteReaderOptions = {}): PrometheusCodec {
  const reader = new WriteReader(random, reading);
  return {
    decodeWrite: (body, use) =>
      reader.read(body, (request) => {
        const { labelData, labelStarts, labelEnds } = request;
        return use({
          ...request,
          numbers: request.seriesRefs,
          spansOf: (i, spans) => readLabelSpans(labelData, labelStarts[i]!, labelEnds[i]!, spans),
          labelsOf: (i) => decodeLabels(labelData, labelStarts[i]!, labelEnds[i]!).labels,
          metadata: request.metadata.map(({ family: name, ...rest }) => ({ name, ...rest })),
        });
      }),
    async decodeRead(body) {
      const { queries, accepted } = decodeReadRequest(await snappyDecode(body));
      return {
        queries: queries.map((query) => ({ ...query, hints: query.hints ?? NO_HINTS })),
        prefersChunks: accepted[0] === 'streamed-xor-chunks',
        acceptsSamples: accepted.length === 0 || accepted.includes('samples'),
      };
    },
    async encodeRead(results) {
      const encoded = results.map((series) => {
        const encoder = new QueryResultEncoder();
        for (const columns of series) encoder.add(columns);
        return encoder.bytes();
      });
      return snappyEncode(encodeReadResponse(encoded));
    },
    async *encodeChunks(batches) {
      const writer = new ChunkFrameWriter(0);
      for await (const batch of batches) {
        for (const columns of batch) writer.add(columns);
        yield* writer.takeFull();
      }
      yield* writer.finish();
    },
    chunkedContentType: `${CHUNKED_CONTENT_TYPE}; proto=prometheus.ChunkedReadResponse`,
  };
}

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  readonly text: string;
};

type Asked = {
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

/** A whole store in a temporary directory, asked through its HTTP handler without a port. */
export class TestStore {
  readonly directory: string;
  readonly registry = new Registry();
  readonly #ownsDirectory: boolean;
  readonly #reading: WriteReaderOptions;
  #store: ShardStore | null = null;
  #service: InfluxService | null = null;
  #router: Router | null = null;

  constructor(directory?: string, reading: WriteReaderOptions = {}) {
    this.#reading = reading;
    this.#ownsDirectory = directory === undefined;
    this.directory = directory ?? fs.mkdtempSync(path.join(os.tmpdir(), 'influx-'));
  }

  async open(settings: Readonly<Record<string, string>> = {}, env: Env = nodeEnv()): Promise<this> {
    const { config } = decodeInfluxConfig('', 'test', {
      INFLUXDB_META_DIR: `${this.directory}/meta`,
      ...settings,
    });
    const store = await ShardStore.open({
      env,
      log: Log.silent(),
      registry: this.registry,
      directory: `${this.directory}/data`,
      walDirectory: `${this.directory}/wal`,
    });
    this.#store = store;
    this.#service = new InfluxService({
      env,
      log: Log.silent(),
      registry: this.registry,
      config,
      version: '1.8.10',
      engine: store,
      openQueryable: (options) => new ShardQueryable({ ...options, store }),
      codec: codecOf(env.random, this.#reading),
    });
    this.#router = new Router({ monotonic: () => env.clock.monotonic() });
    registerInflux(this.#router, this.#service, env.random);
    return this;
  }

  /** For a test that needs a real port. */
  get handler(): HttpHandler {
    if (this.#router === null) throw new Error('the store is not open');
    return this.#router.handler;
  }

  get service(): InfluxService {
    if (this.#service === null) throw new Error('the store is not open');
    return this.#service;
  }

  get store(): ShardStore {
    if (this.#store === null) throw new Error('the store is not open');
    return this.#store;
  }

  async request(method: string, target: string, options: Asked = {}): Promise<Answer> {
    return answerOf(await this.response(method, target, options));
  }

  /** As {@link request}, its body as it comes. */
  async response(method: string, target: string, options: Asked = {}): Promise<HttpResponse> {
    const given = options.body ?? '';
    const body = typeof given === 'string' ? Buffer.from(given) : given;
    const headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    );
    if (this.#router === null) throw new Error('the store is not open');
    return this.#router.handler({
      method,
      target,
      headers,
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => body,
      stream: async function* () {
        yield body;
      },
      signal: options.signal ?? new AbortController().signal,
      principal: EVERYONE,
    });
  }

  /** POST /query; the body's text without its last newline. */
  async query(text: string, parameters: Readonly<Record<string, string>> = {}): Promise<string> {
    const search = new URLSearchParams({ ...parameters, q: text });
    return (await this.request('POST', `/query?${search}`)).text.trimEnd();
  }

  write(
    database: string,
    lines: string,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return this.request('POST', `/write?${new URLSearchParams({ db: database, ...parameters })}`, {
      body: lines,
    });
  }

  async close(): Promise<void> {
    await this.#service?.close();
    await this.#store?.close();
    if (this.#ownsDirectory) fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

async function answerOf(response: HttpResponse): Promise<Answer> {
  const { body } = response;
  let bytes: Uint8Array;
  if (body === undefined) bytes = new Uint8Array(0);
  else if (typeof body === 'string') bytes = Buffer.from(body);
  else if (body instanceof Uint8Array) bytes = body;
  else {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    bytes = Buffer.concat(parts);
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  return { status: response.status, headers, bytes, text: Buffer.from(bytes).toString() };
}
