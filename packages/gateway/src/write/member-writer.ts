import {
  type Env,
  errorText,
  type HttpClientResponse,
  OperatingError,
  type StopSignal,
  type TlsClientOptions,
} from '@pollux/base';
import { retryAfterMs } from '@pollux/remote';
import type { GatewayMetrics } from '../metrics.ts';
import { LAST_RESORT_MS, type Upstream } from '../upstream.ts';
import type { SpooledWrite } from './spool-record.ts';

/** What became of one write at one member. */
export type Delivery =
  | { readonly kind: 'taken'; readonly response: HttpClientResponse }
  /** It will never be taken: 4xx. */
  | { readonly kind: 'refused'; readonly response: HttpClientResponse }
  | { readonly kind: 'absent'; readonly why: string; readonly retryAfterMs: number };

/** Answers to writes are short. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Asked to slow down, or too slow: the same write may be taken later. */
const RETRIED_4XX = new Set([408, 425, 429]);

export type MemberWriterOptions = {
  readonly env: Env;
  readonly metrics: GatewayMetrics;
  readonly tls: TlsClientOptions | undefined;
};

/** Sends one write to one member. Rejects only when `signal` aborts. */
export async function deliver(
  { env, metrics, tls }: MemberWriterOptions,
  member: Upstream,
  write: SpooledWrite,
  limits: { readonly timeoutMs: number; readonly signal: StopSignal },
): Promise<Delivery> {
  metrics.requests.with(member.name).inc();
  try {
    const response = await member.send(
      env.net,
      {
        method: 'POST',
        url: member.url + write.target,
        headers: write.headers,
        body: write.body,
        timeoutMs: member.isUp ? limits.timeoutMs : Math.min(limits.timeoutMs, LAST_RESORT_MS),
        maxBodyBytes: MAX_ANSWER_BYTES,
        ...(tls === undefined ? {} : { tls }),
      },
      limits.signal,
    );
    const { status, headers } = response;
    if (status >= 200 && status < 300) return { kind: 'taken', response };
    if (status < 500 && !RETRIED_4XX.has(status)) return { kind: 'refused', response };
    metrics.failures.with(member.name).inc();
    const pauseMs = retryAfterMs(headers['retry-after'], env.clock.now());
    return { kind: 'absent', why: `answered ${status}`, retryAfterMs: pauseMs };
  } catch (error) {
    if (!OperatingError.is(error) || limits.signal.aborted) throw error;
    metrics.failures.with(member.name).inc();
    // A broken connection needs no health check to be believed; the next check brings the member back.
    if (error.code === 'BASE.CONNECTION') member.markDown(errorText(error));
    return { kind: 'absent', why: errorText(error), retryAfterMs: 0 };
  }
}
