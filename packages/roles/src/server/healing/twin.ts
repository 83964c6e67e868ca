import { type Env, OperatingError, Slices, type StopSignal } from '@pollux/base';
import { type HttpConfig, HttpConfigClient, type Variables } from '@pollux/http';
import { Matcher } from '@pollux/model';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkedResponseReader,
  encodeReadRequest,
  type ReadSeries,
  snappyEncode,
} from '@pollux/remote';
import { type CoverageReport, fromWire, NO_HINTS, type TimeRange } from '@pollux/storage';

const REPORT_TIMEOUT_MS = 10_000;
const READ_TIMEOUT_MS = 60_000;
const MAX_REPORT_BYTES = 16 * 1024 * 1024;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** Of an answer that are read at once. */
const PIECE_BYTES = 128 * 1024;
const SERIES_AT_ONCE = 64;
export const ALL_SERIES = [new Matcher('__name__', '=~', '.+')];

export type TwinOptions = {
  readonly env: Env;
  /** Where it is, with its route prefix. */
  readonly url: string;
  readonly client: HttpConfig;
  readonly resolvePath: (name: string) => string;
  readonly variables: Variables;
  readonly userAgent: string;
};

/** Another server that scrapes and evaluates the same: what it covers, and its samples. */
export class Twin {
  /** Its address: kept with what was copied from it. */
  readonly name: string;
  readonly #url: string;
  readonly #http: HttpConfigClient;
  readonly #options: TwinOptions;

  constructor(options: TwinOptions) {
    const { env, client, resolvePath, variables } = options;
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
    this.name = this.#url;
    this.#http = new HttpConfigClient({ ...env, config: client, resolvePath, variables });
  }

  async report(signal: StopSignal): Promise<CoverageReport> {
    const { status, body } = await this.#http.request({
      method: 'GET',
      url: `${this.#url}/api/v1/pollux/coverage`,
      headers: { 'accept-encoding': 'gzip' },
      timeoutMs: REPORT_TIMEOUT_MS,
      maxBodyBytes: MAX_REPORT_BYTES,
      signal,
    });
    if (status === 200) return fromWire(JSON.parse(new TextDecoder().decode(body)));
    const why =
      status === 404 ? 'it keeps no coverage report, as a Pollux server does' : `status ${status}`;
    throw new OperatingError(
      'ROLES.TWIN',
      `twin ${this.name} does not tell what it covers: ${why}`,
    );
  }

  /** Series with samples about the range, undecoded, in the order and with the external labels that remote read gives them. */
  async read(
    range: TimeRange,
    matchers: readonly Matcher[],
    signal: StopSignal,
  ): Promise<readonly ReadSeries[]> {
    const { minMs: startMs, maxMs: endMs } = range;
    const query = { startMs, endMs, matchers, hints: { ...NO_HINTS, startMs, endMs } };
    const request = encodeReadRequest({ queries: [query], accepted: ['streamed-xor-chunks'] });
    const { status, headers, body } = await this.#http.request({
      method: 'POST',
      url: `${this.#url}/api/v1/read`,
      headers: {
        'content-encoding': 'snappy',
        'content-type': 'application/x-protobuf',
        'user-agent': this.#options.userAgent,
        'x-prometheus-remote-read-version': '0.1.0',
      },
      body: snappyEncode(request),
      timeoutMs: READ_TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
      signal,
    });
    const isChunked = headers['content-type']?.startsWith(CHUNKED_CONTENT_TYPE) === true;
    if (status !== 200 || !isChunked) {
      const why = status === 200 ? 'samples in place of chunks: update it' : `status ${status}`;
      throw new OperatingError('ROLES.TWIN', `twin ${this.name} answered remote read with ${why}`);
    }
    return seriesOf(body, new Slices(this.#options.env.clock, signal));
  }
}

/** Throws DecodeError. */
async function seriesOf(body: Uint8Array, slices: Slices): Promise<readonly ReadSeries[]> {
  const reader = new ChunkedResponseReader();
  const all: ReadSeries[] = [];
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    reader.push(body.subarray(at, at + PIECE_BYTES));
    for (let some = reader.take(SERIES_AT_ONCE); some.length > 0; ) {
      for (const one of some) all.push(one);
      if (slices.isOver) await slices.pause();
      some = reader.take(SERIES_AT_ONCE);
    }
  }
  reader.end();
  for (const one of reader.take()) all.push(one);
  return all;
}
