import { type Env, type HttpClientResponse, type HttpResponse, OperatingError } from '@pollux/base';
import { type Exchange, json, text } from '@pollux/http';
import type { Matcher } from '@pollux/model';
import type { Span } from '@pollux/promql/parser';
import { decodeReadRequest, snappyDecode } from '@pollux/remote';
import type { GatewayMetrics } from '../metrics.ts';
import { candidates, preferredOf, type Upstream } from '../upstream.ts';
import { chooseReplica, selectorsOf } from './choose-replica.ts';
import type { MemberCall, MemberCalls } from './member-calls.ts';

const MAX_READ_REQUEST_BYTES = 16 * 1024 * 1024;
const KEPT_HEADERS = ['content-type', 'content-encoding', 'x-prometheus-remote-read-version'];

export type SingleReplicaOptions = {
  readonly env: Env;
  readonly calls: MemberCalls;
  readonly metrics: GatewayMetrics;
  readonly upstreams: readonly Upstream[];
  readonly lookbackMs: number;
};

type Question = {
  readonly call: MemberCall;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly span: Span;
};

/**
 * Answers in formats that are not put together here, federation and remote read: each goes whole to the replica that covers all that it
 * reads, or that lacks least of it. What nobody covers cannot be told in these formats; it is counted.
 */
export class SingleReplicaHandler {
  readonly #options: SingleReplicaOptions;

  constructor(options: SingleReplicaOptions) {
    this.#options = options;
  }

  /** The newest sample of each series within the lookback. */
  async federate(exchange: Exchange): Promise<HttpResponse> {
    const { env, lookbackMs } = this.#options;
    const { target } = exchange.request;
    const at = target.indexOf('?');
    const nowMs = env.clock.now();
    const call = { method: 'GET', target: exchange.path + (at < 0 ? '' : target.slice(at)) };
    const selectors = selectorsOf(exchange.query.getAll('match[]')) ?? [[]];
    return this.#ask(exchange, {
      call,
      selectors,
      span: { minMs: nowMs - lookbackMs, maxMs: nowMs },
    });
  }

  async remoteRead(exchange: Exchange): Promise<HttpResponse> {
    const body = await exchange.request.body(MAX_READ_REQUEST_BYTES);
    const call = {
      method: 'POST',
      target: exchange.path,
      contentType: exchange.request.headers['content-type'] ?? 'application/x-protobuf',
      body,
    };
    let question: Question;
    try {
      const { queries } = decodeReadRequest(await snappyDecode(body, MAX_READ_REQUEST_BYTES));
      const span = {
        minMs: Math.min(...queries.map(({ startMs }) => startMs)),
        maxMs: Math.max(...queries.map(({ endMs }) => endMs)),
      };
      question = { call, span, selectors: queries.map(({ matchers }) => matchers) };
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      return text(400, `${error.message}\n`);
    }
    return this.#ask(exchange, question);
  }

  async #ask(exchange: Exchange, { call, selectors, span }: Question): Promise<HttpResponse> {
    const { calls, metrics, upstreams } = this.#options;
    const lost: string[] = [];
    const left = new Set(upstreams);
    for (;;) {
      const live = candidates([...left]);
      if (live.length === 0) break;
      const preferred = preferredOf(call.target, upstreams, live);
      const { replica, uncovered } = chooseReplica(live, selectors, span, preferred);
      const answer = await calls.ask(replica, exchange, call);
      if (typeof answer !== 'string') {
        if (uncovered.length > 0) metrics.uncovered.inc();
        return asAnswered(answer, replica.name);
      }
      metrics.retries.inc();
      lost.push(answer);
      left.delete(replica);
    }
    const error = `no server can answer (${lost.join('; ')})`;
    return json(503, { status: 'error', errorType: 'unavailable', error });
  }
}

function asAnswered({ status, headers, body }: HttpClientResponse, member: string): HttpResponse {
  const kept: Record<string, string> = { 'x-pollux-replica': member };
  for (const name of KEPT_HEADERS) {
    const value = headers[name];
    // What was packed for the way here is unpacked already; snappy belongs to the format.
    if (value !== undefined && (name !== 'content-encoding' || value === 'snappy'))
      kept[name] = value;
  }
  return { status, headers: kept, body };
}
