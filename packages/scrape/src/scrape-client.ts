import {
  type Env,
  type HttpClientResponse,
  LimitError,
  OperatingError,
  withTimeout,
} from '@pollux/base';
import { acceptHeader, type ExpositionFormat, negotiate } from '@pollux/exposition';
import type { HttpConfigClient } from '@pollux/http';
import type { ScrapeConfig } from './config.ts';
import { ScrapeError } from './errors.ts';
import type { Target } from './target-labels.ts';

/** Bodies are bounded even where the job sets no `body_size_limit`. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

export type Exposition = { readonly body: Uint8Array; readonly format: ExpositionFormat };

export type ClientOptions = {
  readonly env: Env;
  readonly config: ScrapeConfig;
  readonly userAgent: string;
  /** By the job's HTTP client settings. */
  readonly http: HttpConfigClient;
};

/** Fetches the exposition of one target; rejects with an OperatingError whose text is fit for the targets page. */
export class ScrapeClient {
  readonly #options: ClientOptions;
  readonly #accept: string;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#accept = acceptHeader(options.config.protocols, options.config.escaping);
  }

  async fetch(target: Target, signal: AbortSignal): Promise<Exposition> {
    const { env, config, userAgent, http } = this.#options;
    const send = (limited: AbortSignal): Promise<HttpClientResponse> =>
      http.request({
        method: 'GET',
        url: target.url,
        headers: {
          accept: this.#accept,
          'accept-encoding': config.enableCompression ? 'gzip' : 'identity',
          'user-agent': userAgent,
          'x-prometheus-scrape-timeout-seconds': String(target.timeoutMs / 1_000),
        },
        timeoutMs: target.timeoutMs,
        signal: limited,
        maxBodyBytes: config.bodySizeLimitBytes || MAX_BODY_BYTES,
      });
    const response = await this.#guard(() =>
      withTimeout(env.clock, target.timeoutMs, `scrape of ${target.url}`, send, signal),
    );
    if (response.status !== 200)
      throw new ScrapeError('SCRAPE.HTTP_STATUS', `server returned HTTP status ${response.status}`);
    const negotiated = negotiate(response.headers['content-type'] ?? '', config.fallbackProtocol);
    if (negotiated.kind === 'refused')
      throw new ScrapeError('SCRAPE.CONTENT_TYPE', negotiated.reason);
    return { body: response.body, format: negotiated.format };
  }

  /** Gives every failure of the exchange a text that speaks of the target. */
  async #guard<T>(exchange: () => Promise<T>): Promise<T> {
    try {
      return await exchange();
    } catch (error) {
      if (LimitError.is(error) && error.code === 'BASE.ANSWER_TOO_LARGE')
        throw new ScrapeError('SCRAPE.BODY_SIZE_LIMIT', 'body size limit exceeded');
      if (OperatingError.is(error)) throw error;
      throw new ScrapeError('SCRAPE.REQUEST', 'request failed', { cause: error });
    }
  }
}
