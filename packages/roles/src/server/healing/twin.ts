import { type Env, OperatingError, type StopSignal } from '@pollux/base';
import { type HttpConfig, HttpConfigClient, type Variables } from '@pollux/http';
import { Labels, Matcher } from '@pollux/model';
import { RemoteQueryable } from '@pollux/remote';
import {
  type CoverageReport,
  fromWire,
  NO_HINTS,
  type ReadContext,
  type SeriesSource,
  type TimeRange,
} from '@pollux/storage';
import type { Registry } from '@pollux/telemetry';

const REPORT_TIMEOUT_MS = 10_000;
const READ_TIMEOUT_MS = 60_000;
const MAX_REPORT_BYTES = 16 * 1024 * 1024;
export const ALL_SERIES = [new Matcher('__name__', '=~', '.+')];

export type TwinOptions = {
  readonly env: Env;
  readonly registry: Registry;
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
  readonly #samples: RemoteQueryable;

  constructor(options: TwinOptions) {
    const { env, registry, client, resolvePath, variables, userAgent } = options;
    this.#url = options.url.replace(/\/+$/, '');
    this.name = this.#url;
    this.#http = new HttpConfigClient({ ...env, config: client, resolvePath, variables });
    this.#samples = new RemoteQueryable({
      env,
      registry,
      resolvePath,
      variables,
      userAgent,
      externalLabels: Labels.EMPTY,
      config: {
        url: `${this.#url}/api/v1/read`,
        name: 'twin',
        remoteTimeoutMs: READ_TIMEOUT_MS,
        headers: {},
        requiredMatchers: [],
        readRecent: true,
        filterExternalLabels: false,
        client,
      },
    });
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

  /** All series, sorted, with the external labels that remote read adds. */
  select(range: TimeRange, context: ReadContext): SeriesSource {
    return this.#samples.select(
      { range, matchers: ALL_SERIES, hints: NO_HINTS, sorted: true },
      context,
    );
  }
}
