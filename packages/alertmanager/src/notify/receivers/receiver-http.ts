import { errorText, type Files, LimitError, type StopSignal } from '@pollux/base';
import type { Secret } from '@pollux/config';
import { type HttpConfig, HttpConfigClient } from '@pollux/http';
import { DeliveryError, type FailureReason } from '../../errors.ts';
import type { BuildOptions } from './build-options.ts';

/** Where the flush's own deadline is longer, a single request ends here. */
const MAX_REQUEST_MS = 5 * 60_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** What of an answer goes into an error. */
const MAX_DETAIL_LENGTH = 1_000;

export type ReceiverRequest = {
  readonly url: string;
  /** POST if missing. */
  readonly method?: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** 0 or missing for no limit of its own. */
  readonly timeoutMs?: number;
  readonly signal: StopSignal;
  /** Never shown in an error, wherever it comes from. */
  readonly secrets?: readonly string[];
  /** False where a request that got no answer must not be repeated. */
  readonly retriesFailures?: boolean;
};

export type ReceiverAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** The same secrets, masked out of any text that quotes the answer. */
  readonly mask: (text: string) => string;
};

/** Requests of one receiver by its http_config. */
export class ReceiverHttp {
  readonly #client: HttpConfigClient;
  readonly #userAgent: string;

  constructor(
    config: HttpConfig,
    options: Pick<BuildOptions, 'env' | 'resolvePath' | 'userAgent' | 'variables'>,
  ) {
    const { env, resolvePath, userAgent, variables } = options;
    this.#client = new HttpConfigClient({ ...env, config, resolvePath, variables });
    this.#userAgent = userAgent;
  }

  /** Sends JSON. */
  json(request: ReceiverRequest): Promise<ReceiverAnswer> {
    return this.send({
      ...request,
      headers: { 'content-type': 'application/json', ...request.headers },
    });
  }

  /** Connection errors and time-outs reject with a DeliveryError that allows another attempt. */
  async send(request: ReceiverRequest): Promise<ReceiverAnswer> {
    const { method = 'POST', url, body, timeoutMs = 0, signal } = request;
    const secrets = [url, ...(request.secrets ?? [])];
    try {
      const answer = await this.#client.request({
        method,
        url,
        headers: { 'user-agent': this.#userAgent, ...request.headers },
        ...(body === undefined ? {} : { body }),
        timeoutMs: timeoutMs > 0 ? timeoutMs : MAX_REQUEST_MS,
        signal,
        maxBodyBytes: MAX_ANSWER_BYTES,
      });
      return {
        status: answer.status,
        contentType: answer.headers['content-type'] ?? '',
        text: new TextDecoder().decode(answer.body),
        // A header names its scheme before the secret.
        mask: masking([...secrets, ...answer.secrets.map((value) => value.replace(/^\S+ /, ''))]),
      };
    } catch (error) {
      const retry = request.retriesFailures !== false && !(error instanceof LimitError);
      throw new DeliveryError(
        `${verb(method)} "<redacted>": ${masking(secrets)(errorText(error))}`,
        { retry },
      );
    }
  }
}

export type StatusRule = {
  /** Codes below 500 that may be tried again. */
  readonly retryCodes?: readonly number[];
  /** What of the answer belongs into the message; all of it if missing. */
  readonly details?: (answer: ReceiverAnswer) => string;
  /** Put before the message. */
  readonly prefix?: string;
  /** True where a refusal is counted as "other", whatever its code. */
  readonly isUnclassified?: boolean;
};

/** 2xx is success; 5xx may be tried again; all else is final unless the rule says otherwise. */
export function checkStatus(answer: ReceiverAnswer, rule: StatusRule = {}): void {
  const { status, text, mask } = answer;
  if (status >= 200 && status < 300) return;
  const found = rule.details === undefined ? text.trim() : rule.details(answer);
  const detail = found === '' ? '' : `: ${mask(found).slice(0, MAX_DETAIL_LENGTH)}`;
  throw new DeliveryError(`${rule.prefix ?? ''}unexpected status code ${status}${detail}`, {
    retry: Math.floor(status / 100) === 5 || (rule.retryCodes ?? []).includes(status),
    reason: rule.isUnclassified === true ? 'other' : reasonOfStatus(status),
  });
}

export function reasonOfStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return 'authError';
  if (status === 429) return 'rateLimited';
  if (status >= 500 && status < 600) return 'serverError';
  return status >= 400 && status < 500 ? 'clientError' : 'other';
}

/** The answer's JSON object; null for anything else. */
export function jsonObject({ text }: ReceiverAnswer): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    return null;
  }
}

/** The secret, read anew from its file where it has one, so that a rotated secret is used at once. */
export function secretOf(files: Files, inline: Secret, file: string): string {
  return file === '' ? inline.reveal() : readSecretFile(files, file);
}

export function readSecretFile(files: Files, path: string): string {
  try {
    return new TextDecoder().decode(files.readFile(path)).trim();
  } catch (error) {
    throw new DeliveryError(`a secret file cannot be read: ${errorText(error)}`, { retry: true });
  }
}

/** An absolute http address; a DeliveryError otherwise, which does not quote it. */
export function checkedUrl(url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new DeliveryError('the url is no http address', { retry: false });
}

/** Shorter ones would blank out words of ordinary messages. */
const SHORTEST_SECRET = 6;

function masking(secrets: readonly string[]): (text: string) => string {
  return (text) =>
    hiddenOf(secrets).reduce((rest, secret) => rest.replaceAll(secret, '<redacted>'), text);
}

/** All spellings, longest first. Found when a text is shown: most answers are not. */
function hiddenOf(secrets: readonly string[]): readonly string[] {
  const shown = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]);
  return [...new Set([...shown, ...secrets.flatMap(pathAndQuery)])]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length);
}

/** Where addresses carry their tokens: the path, its last part and the values of the query. */
function pathAndQuery(address: string): string[] {
  if (!/^https?:/.test(address) || !URL.canParse(address)) return [];
  const { pathname, search, searchParams } = new URL(address);
  return [pathname + search, pathname, search, ...searchParams.values()];
}

function verb(method: string): string {
  return method.charAt(0) + method.slice(1).toLowerCase();
}
