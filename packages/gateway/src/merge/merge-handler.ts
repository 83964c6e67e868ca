import type { HttpClientResponse, HttpResponse } from '@pollux/base';
import { type Exchange, formOf, hasFormBody, json } from '@pollux/http';
import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { StoredNames, StoredSeries } from '../long-term/stored-names.ts';
import { uncoveredWarning } from '../plan-warnings.ts';
import { readTimeMs } from '../query-params.ts';
import { candidates, preferredOf, type Upstream } from '../upstream.ts';
import { chooseReplica, type ReplicaChoice, selectorsOf } from './choose-replica.ts';
import { envelopeOf } from './envelope.ts';
import type { MemberCall, MemberCalls } from './member-calls.ts';
import { cutRows, type MergedPath } from './merged-paths.ts';

export type MergeHandlerOptions = {
  readonly calls: MemberCalls;
  readonly upstreams: readonly Upstream[];
  readonly replicaLabels: readonly string[];
  /** Has the series of times that no server covers; null without long-term stores. */
  readonly stored: StoredNames | null;
};

/** Prometheus' bounds of all time, in milliseconds that a double holds. */
const ALL_TIME = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };

type Reply = { readonly member: string; readonly response: HttpClientResponse };

/**
 * Answers what is asked of all replicas as one server would: one that covers the whole span alone is asked alone, else all are, and what
 * any of them has is in the answer.
 */
export class MergeHandler {
  readonly #options: MergeHandlerOptions;

  constructor(options: MergeHandlerOptions) {
    this.#options = options;
  }

  async handle(exchange: Exchange, merged: MergedPath): Promise<HttpResponse> {
    const { calls, upstreams } = this.#options;
    const form = await formOf(exchange);
    const call = callOf(exchange, form);
    const lost: string[] = [];
    const left = new Set(upstreams);
    // Each round that does not end it loses a member.
    for (;;) {
      const live = candidates([...left]);
      if (live.length === 0) return unavailable(lost, upstreams);
      const choice = this.#choose(live, merged, form);
      const asked = choice?.coversAlone === true ? [choice.replica] : live;
      const storing = this.#stored(exchange, live, merged, form);
      // It is awaited below; until then its fault is nobody's.
      storing.catch(() => {});
      const answers = await Promise.all(
        asked.map(async (member) => ({ member, answer: await calls.ask(member, exchange, call) })),
      );
      const replies: Reply[] = [];
      for (const { member, answer } of answers) {
        if (typeof answer === 'string') {
          lost.push(answer);
          left.delete(member);
        } else replies.push({ member: member.name, response: answer });
      }
      if (replies.length === 0) continue;
      const stored = await storing;
      return this.#join(replies, merged, { form, choice, lost, stored, path: exchange.path });
    }
  }

  /** Null where stores are not asked. */
  async #stored(
    exchange: Exchange,
    servers: readonly Upstream[],
    { selectors: field, ofSeries }: MergedPath,
    form: URLSearchParams,
  ): Promise<StoredSeries | null> {
    const { stored } = this.#options;
    const asked = field === null || ofSeries === undefined ? null : askedOf(form, field);
    if (stored === null || asked === null) return null;
    return stored.seriesOf({ exchange, servers, ...asked, isOpen: !form.has('start') });
  }

  /** Null where it does not depend on the past, or cannot be read: then all are asked. */
  #choose(
    live: readonly Upstream[],
    { selectors }: MergedPath,
    form: URLSearchParams,
  ): ReplicaChoice | null {
    if (selectors === null) return null;
    const asked = askedOf(form, selectors);
    if (asked === null) return null;
    const preferred = preferredOf(form.toString(), this.#options.upstreams, live);
    return chooseReplica(live, asked.selectors, asked.span, preferred);
  }

  #join(
    replies: readonly Reply[],
    merged: MergedPath,
    asked: {
      readonly form: URLSearchParams;
      readonly choice: ReplicaChoice | null;
      readonly lost: readonly string[];
      readonly stored: StoredSeries | null;
      readonly path: string;
    },
  ): HttpResponse {
    const { form, choice, lost, stored, path } = asked;
    const headers = {
      'content-type': 'application/json',
      'x-pollux-replica': replies.map(({ member }) => member).join(', '),
    };
    const good = replies.flatMap(({ response }) => {
      const envelope = response.status === 200 ? envelopeOf(response.body) : null;
      return envelope === null ? [] : [envelope];
    });
    const [first] = replies;
    const isAlone = choice?.coversAlone === true || this.#options.upstreams.length === 1;
    const isAsItIs =
      replies.length === 1 &&
      isAlone &&
      addsNothing(stored) &&
      this.#options.replicaLabels.length === 0;
    if (first !== undefined && (good.length === 0 || isAsItIs)) {
      const { status, body } = first.response;
      return { status, headers, body };
    }
    const { replicaLabels } = this.#options;
    const answers = good.map(({ data }) => data);
    if (stored !== null) answers.push(merged.ofSeries?.(stored.series, path));
    const joined = merged.merge(answers, { form, replicaLabels });
    const { data, isCut } =
      merged.selectors === 'match[]' ? cutRows(joined, form) : { data: joined, isCut: false };
    const warnings = new Set(good.flatMap((envelope) => envelope.warnings));
    if (isCut) warnings.add('results truncated due to limit');
    const gap = uncoveredWarning(stored?.uncovered ?? choice?.uncovered ?? []);
    if (gap !== null) warnings.add(gap);
    for (const warning of stored?.warnings ?? []) warnings.add(warning);
    for (const why of lost) warnings.add(`a replica did not answer (${why})`);
    const infos = new Set(good.flatMap((envelope) => envelope.infos));
    return json200(headers, {
      status: 'success',
      data,
      ...(warnings.size === 0 ? {} : { warnings: [...warnings] }),
      ...(infos.size === 0 ? {} : { infos: [...infos] }),
    });
  }
}

/** Null when a member shall say what is wrong with it. */
function askedOf(
  form: URLSearchParams,
  field: string,
): { readonly selectors: (readonly Matcher[])[]; readonly span: TimeRange } | null {
  const selectors = selectorsOf(form.getAll(field));
  const minMs = readTimeMs(form.get('start'), ALL_TIME.minMs);
  const maxMs = readTimeMs(form.get('end'), ALL_TIME.maxMs);
  if (selectors === null || minMs === null || maxMs === null || maxMs < minMs) return null;
  return { selectors, span: { minMs, maxMs } };
}

function addsNothing(stored: StoredSeries | null): boolean {
  if (stored === null) return true;
  return [stored.series, stored.warnings, stored.uncovered].every((list) => list.length === 0);
}

/** A form goes on as a form, since it may be too long for an address. */
function callOf(exchange: Exchange, form: URLSearchParams): MemberCall {
  const { request, path } = exchange;
  if (!hasFormBody(exchange)) {
    const at = request.target.indexOf('?');
    const query = at < 0 ? '' : request.target.slice(at);
    return { method: 'GET', target: path + query };
  }
  return {
    method: 'POST',
    target: path,
    contentType: 'application/x-www-form-urlencoded',
    body: form.toString(),
  };
}

function json200(headers: Readonly<Record<string, string>>, value: unknown): HttpResponse {
  return { status: 200, headers, body: JSON.stringify(value) };
}

function unavailable(lost: readonly string[], upstreams: readonly Upstream[]): HttpResponse {
  const known = upstreams.map(({ name, lastError }) => `${name}: ${lastError}`);
  const why = (lost.length > 0 ? lost : known).join('; ');
  return json(503, {
    status: 'error',
    errorType: 'unavailable',
    error: `no server can answer (${why})`,
  });
}
