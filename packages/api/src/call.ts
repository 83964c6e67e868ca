import type { Clock, StopSignal } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { MemoryBudget, type ReadContext } from '@pollux/storage';
import type { ApiResult } from './wire/answer.ts';

/** One request at a handler. */
export type ApiCall = {
  readonly exchange: Exchange;
  /** URL and form parameters. */
  readonly form: URLSearchParams;
  /** Wall clock at arrival, ms. */
  readonly nowMs: number;
  /** Aborts with the client and at the time limit of reads, which begins when it is first looked at. */
  readonly signal: StopSignal;
};

export type ApiHandler = (call: ApiCall) => Promise<ApiResult> | ApiResult;

/** What reads outside of queries may take. */
export type ReadLimits = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxBytes: number;
};

export function readContext(call: ApiCall, limits: ReadLimits): ReadContext {
  return {
    signal: call.signal,
    budget: new MemoryBudget(limits.maxBytes, 'api.read-max-bytes'),
  };
}

/** Added to answers that were cut at the request's `limit`. */
export const TRUNCATED = {
  kind: 'warning',
  text: 'results truncated due to limit',
} as const;
