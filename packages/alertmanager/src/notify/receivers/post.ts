import { errorText, type Files, type Net } from '@pollux/base';
import { type ClientConfig, clientSettings } from '@pollux/http';
import { DeliveryError, type FailureReason } from '../../errors.ts';

/** Where the flush's own deadline is longer, a single request ends here. */
const MAX_REQUEST_MS = 5 * 60_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

export type PostOptions = {
  readonly net: Net;
  readonly files: Files;
  readonly http: ClientConfig | null;
  readonly resolvePath: (name: string) => string;
  readonly url: string;
  readonly body: string;
  readonly userAgent: string;
  /** 0 for no limit of its own. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

export type PostAnswer = { readonly status: number; readonly text: string };

/** Sends JSON. Connection errors and time-outs reject with a DeliveryError that allows another attempt. */
export async function postJson(options: PostOptions): Promise<PostAnswer> {
  const { net, files, http, url, signal } = options;
  try {
    const settings =
      http === null ? { headers: {} } : clientSettings(http, files, options.resolvePath);
    const answer = await net.request({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/json',
        'user-agent': options.userAgent,
        ...settings.headers,
      },
      body: options.body,
      timeoutMs: options.timeoutMs > 0 ? options.timeoutMs : MAX_REQUEST_MS,
      signal,
      maxBodyBytes: MAX_ANSWER_BYTES,
      ...('tls' in settings && settings.tls !== undefined ? { tls: settings.tls } : {}),
    });
    return { status: answer.status, text: new TextDecoder().decode(answer.body) };
  } catch (error) {
    throw new DeliveryError(`sending failed: ${errorText(error)}`, { retry: true });
  }
}

/** Upstream's rule for plain webhooks: 2xx is success, 5xx may be tried again, the rest not. */
export function checkStatus({ status, text }: PostAnswer, alsoRetry: readonly number[] = []): void {
  if (status >= 200 && status < 300) return;
  const isServerError = status >= 500;
  const detail = text.trim() === '' ? '' : `: ${text.trim().slice(0, 200)}`;
  throw new DeliveryError(`unexpected status code ${status}${detail}`, {
    retry: isServerError || alsoRetry.includes(status),
    reason: reasonOf(status),
  });
}

function reasonOf(status: number): FailureReason {
  if (status === 401 || status === 403) return 'authError';
  if (status === 429) return 'rateLimited';
  if (status >= 500) return 'serverError';
  return status >= 400 ? 'clientError' : 'other';
}

/** Reads a secret file anew, so that a rotated secret is used at once. */
export function readSecretFile(files: Files, path: string): string {
  try {
    return new TextDecoder().decode(files.readFile(path)).trim();
  } catch (error) {
    throw new DeliveryError(`a secret file cannot be read: ${errorText(error)}`, { retry: true });
  }
}
