import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { type Env, errorText, type HttpResponse, OperatingError, systemCode } from '@pollux/base';
import { type Exchange, json } from '@pollux/http';
import { countWritten } from '@pollux/remote';
import type { Log } from '@pollux/telemetry';
import type { BodyBudget } from '../balance/body-budget.ts';
import { forwardedHeaders } from '../forwarded-headers.ts';
import type { Group } from '../group.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { Upstream } from '../upstream.ts';
import { type Delivery, deliver } from './member-writer.ts';
import { SpoolError } from './spool.ts';
import type { SpoolConfig } from './spool-config.ts';
import type { SpooledWrite } from './spool-record.ts';
import type { Spools } from './spools.ts';
import type { DropReason, WriteMetrics } from './write-metrics.ts';
import type { WritePath } from './write-paths.ts';

const gunzip = promisify(zlib.gunzip);
/** A sender whose write nobody could take tries again after so long, s. */
const RETRY_AFTER = '5';
/** Headers of a write that members must see, besides those of any request. */
const WRITE_HEADERS = ['content-encoding', 'x-prometheus-remote-write-version'] as const;
/** What a sender of remote write 2.0 looks at in the answer. */
const WRITTEN = 'x-prometheus-remote-write';

/** Gives lines without a time this one; see `stampLines` of the influx room. */
export type LineStamper = (
  lines: Uint8Array,
  precision: string | null,
  nowMs: number,
) => Uint8Array;

export type WriteFanOutOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: WriteMetrics;
  readonly memberMetrics: GatewayMetrics;
  readonly bodies: BodyBudget;
  readonly config: SpoolConfig;
  readonly stampLines: LineStamper;
  /** Null where nothing is kept on disk: then a member that is away misses what others take. */
  readonly spools: Spools | null;
  /** Aborts when the gateway closes. A sender that leaves does not end its write. */
  readonly signal: AbortSignal;
};

type Settled =
  | Extract<Delivery, { kind: 'taken' | 'refused' }>
  | { readonly kind: 'spooled' }
  | { readonly kind: 'lost'; readonly reason: DropReason; readonly why: string };
type Outcome = { readonly member: Upstream; readonly settled: Settled };

/**
 * Gives one write to every member of a group. A member that is down, slow or behind gets it from its spool, in the order in which
 * the gateway answered. The sender is answered when each member has it, has refused it, or has it in the spool; so that nothing
 * that was answered with success can be lost with this process.
 */
export class WriteFanOut {
  readonly #options: WriteFanOutOptions;

  constructor(options: WriteFanOutOptions) {
    this.#options = options;
  }

  async handle(exchange: Exchange, group: Group, path: WritePath): Promise<HttpResponse> {
    const { bodies, memberMetrics } = this.#options;
    const { request } = exchange;
    const limit = group.config.max_body_size;
    const declared = Number(request.headers['content-length'] ?? Number.NaN);
    const room = Number.isNaN(declared) ? null : Math.min(declared, limit);
    const held = await bodies.read(room, () => request.body(limit));
    if (held === null) {
      memberMetrics.refused.with('bodies').inc();
      const why = `bodies of requests take more than max_buffered_bodies (${bodies.limitBytes} bytes) together`;
      return unavailable(why);
    }
    try {
      const refusal = path.refusal(request.headers, held.body);
      if (refusal === null) return await this.#write(exchange, group, { path, body: held.body });
      return failure(refusal.status, refusal.error);
    } finally {
      held.release();
    }
  }

  async #write(
    exchange: Exchange,
    group: Group,
    { path, body }: { readonly path: WritePath; readonly body: Uint8Array },
  ): Promise<HttpResponse> {
    const { env, metrics } = this.#options;
    const { target } = exchange.request;
    const write = await this.#stamped(exchange, group.config.max_body_size, {
      kind: path.kind,
      arrivedMs: env.clock.now(),
      target: target.slice(path.prefix?.length ?? 0),
      headers: headersOf(exchange),
      body,
    });
    const members = group.upstreams.filter((_, index) => !group.config.members[index]?.down);
    const outcomes = await Promise.all(
      members.map(async (member) => ({
        member,
        settled: await this.#settle(member, group, write),
      })),
    );
    const answer = await this.#answer(outcomes, write, path);
    metrics.answers.with(write.kind, answer.outcome).inc();
    return answer.response;
  }

  /** Lines without a time get it here: members, now and from the spool, shall store the same. */
  async #stamped(exchange: Exchange, limit: number, write: SpooledWrite): Promise<SpooledWrite> {
    if (write.kind !== 'lines') return write;
    const isPacked = write.headers['content-encoding'] === 'gzip';
    let lines = write.body;
    try {
      if (isPacked) lines = await gunzip(write.body, { maxOutputLength: limit });
    } catch (error) {
      if (!/^(?:Z_|ERR_)/.test(systemCode(error))) throw error;
      // The members say in their own words what is wrong with it.
      return write;
    }
    const precision = exchange.query.get('precision');
    const stamped = this.#options.stampLines(lines, precision, write.arrivedMs);
    if (stamped === lines) return write;
    const { 'content-encoding': _, ...headers } = write.headers;
    return { ...write, headers, body: stamped };
  }

  async #settle(member: Upstream, group: Group, write: SpooledWrite): Promise<Settled> {
    const { env, memberMetrics, spools, config, signal } = this.#options;
    let why = member.lastError;
    const isAsked = spools === null || (member.isUp && !spools.isBehind(member.name));
    if (isAsked) {
      const options = { env, metrics: memberMetrics, tls: group.tls };
      const limits = { timeoutMs: config.patience, signal };
      const delivery = await deliver(options, member, write, limits);
      if (delivery.kind !== 'absent') return delivery;
      why = delivery.why;
    }
    if (spools === null) return { kind: 'lost', reason: 'no_spool', why };
    try {
      await spools.append(member.name, write);
      return { kind: 'spooled' };
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      const reason = error.reason === 'full' ? 'full' : 'disk';
      return { kind: 'lost', reason, why: errorText(error) };
    }
  }

  async #answer(
    outcomes: readonly Outcome[],
    write: SpooledWrite,
    path: WritePath,
  ): Promise<{ readonly outcome: string; readonly response: HttpResponse }> {
    const taken = outcomes.find(({ settled }) => settled.kind === 'taken');
    const refused = outcomes.find(({ settled }) => settled.kind === 'refused');
    const lost = outcomes.filter(({ settled }) => settled.kind === 'lost');
    if (taken?.settled.kind === 'taken') {
      this.#noteMisses(outcomes, write);
      return { outcome: 'taken', response: passedOn(taken, taken.settled.response) };
    }
    if (outcomes.some(({ settled }) => settled.kind === 'spooled')) {
      this.#noteMisses(outcomes, write);
      return { outcome: 'spooled', response: await spooledAnswer(write, path) };
    }
    if (refused?.settled.kind === 'refused' && lost.length === 0) {
      return { outcome: 'refused', response: passedOn(refused, refused.settled.response) };
    }
    const why = lost.map(({ member, settled }) =>
      settled.kind === 'lost' ? `${member.name}: ${settled.why}` : '',
    );
    const response = unavailable(`no member and no spool can take the write (${why.join('; ')})`);
    return { outcome: 'unavailable', response };
  }

  /** The sender is told of success: what single members did not take is told here. */
  #noteMisses(outcomes: readonly Outcome[], write: SpooledWrite): void {
    const { log, metrics } = this.#options;
    const target = write.target.split('?')[0];
    for (const { member, settled } of outcomes) {
      if (settled.kind === 'refused') {
        const { status, body } = settled.response;
        metrics.refusals.with(member.name).inc();
        const text = new TextDecoder().decode(body.subarray(0, 256));
        log.warn('a member refuses what others take', {
          member: member.name,
          target,
          status,
          text,
        });
      } else if (settled.kind === 'lost') {
        metrics.dropped.with(member.name, settled.reason).inc();
        log.warn('a member misses a write', { member: member.name, target, err: settled.why });
      }
    }
  }
}

function headersOf(exchange: Exchange): Record<string, string> {
  const headers = forwardedHeaders(exchange);
  for (const name of WRITE_HEADERS) {
    const value = exchange.request.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

function passedOn(
  { member }: Outcome,
  { status, headers, body }: Extract<Delivery, { kind: 'taken' }>['response'],
): HttpResponse {
  const told: Record<string, string> = { 'x-pollux-member': member.name };
  for (const [name, value] of Object.entries(headers)) {
    const isOfWrite = name.startsWith(WRITTEN) || name.startsWith('x-influxdb');
    if (isOfWrite || name === 'content-type') told[name] = value;
  }
  return { status, headers: told, body };
}

async function spooledAnswer(write: SpooledWrite, path: WritePath): Promise<HttpResponse> {
  const headers: Record<string, string> = { 'x-pollux-member': 'spool' };
  const isV2 = (write.headers['content-type'] ?? '').includes('io.prometheus.write.v2.');
  if (isV2) {
    // Without them a sender takes the write for lost.
    const counts = await countWritten(write.body).catch((error: unknown) => {
      if (!OperatingError.is(error)) throw error;
      return error;
    });
    // The members will refuse what is in the spool as well.
    if (OperatingError.is(counts)) return failure(400, errorText(counts));
    const { samples, histograms, exemplars } = counts;
    headers[`${WRITTEN}-samples-written`] = String(samples);
    headers[`${WRITTEN}-histograms-written`] = String(histograms);
    headers[`${WRITTEN}-exemplars-written`] = String(exemplars);
  }
  return { status: path.takenStatus, headers };
}

function unavailable(why: string): HttpResponse {
  const { headers, ...answer } = failure(503, why);
  return { ...answer, headers: { ...headers, 'retry-after': RETRY_AFTER } };
}

function failure(status: number, error: string): HttpResponse {
  const errorType = status === 503 ? 'unavailable' : 'bad_data';
  return json(status, { status: 'error', errorType, error });
}
