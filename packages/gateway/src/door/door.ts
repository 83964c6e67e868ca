import {
  CanceledError,
  type Env,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  LimitError,
  OperatingError,
  type Principal,
  sleep,
} from '@pollux/base';
import { text } from '@pollux/http';
import { asPrincipal } from '@pollux/http/login';
import type { Log } from '@pollux/telemetry';
import type { FaultListener } from '../balance/fault.ts';
import { clientAddress } from '../balance/forwarded-headers.ts';
import type { GatewayConfig } from '../config.ts';
import type { AccessRecord } from '../log/access-log.ts';
import { Logs } from '../log/logs.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { Guard } from './guard.ts';
import type { HostConfig } from './host-config.ts';
import { RateLimit } from './rate-limit.ts';
import { hostName, VirtualHosts } from './virtual-hosts.ts';

export type DoorOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly config: GatewayConfig;
  readonly pid: number;
};

/** Where a request goes: a group, with the path as it is, or the pair's own routes. */
export type Passing = {
  readonly toGroup: (group: string, request: HttpRequest) => Promise<HttpResponse>;
  readonly toPair: HttpHandler;
};

type Host = {
  readonly guard: Guard | null;
  readonly limits: readonly RateLimit[];
  readonly log: ((record: AccessRecord) => void) | null;
  readonly locations: HostConfig['locations'];
  readonly needsCertificate: boolean;
};

type Admission = { readonly request: HttpRequest } | { readonly refusal: HttpResponse };

/** Stands before everything: which host a request is for, who may come in, how often, and what is written about it. */
export class Door {
  readonly #options: DoorOptions;
  readonly #hosts: VirtualHosts<Host>;
  readonly #logs: Logs;

  /** Opens log files and reads password files: throws when one cannot be. */
  constructor(options: DoorOptions) {
    this.#options = options;
    const { env, log, config, pid, metrics } = options;
    const onDropped = (count: number): void => metrics.droppedLines.inc(count);
    this.#logs = new Logs({ env, log, pid, errorLog: config.error_log, onDropped });
    try {
      const general = config.access_log === null ? null : this.#logs.format(config.access_log);
      this.#hosts = new VirtualHosts(
        config.hosts.map((host) => [host.server_names, this.#host(host, general)]),
        { ...PAIR_ONLY, log: general },
      );
    } catch (error) {
      this.#logs.close();
      throw error;
    }
  }

  /** Of members and groups; for the error log. */
  readonly onFault: FaultListener = (fault) => this.#logs.fault(fault);

  reopenLogs(): void {
    this.#logs.reopen();
  }

  close(): void {
    this.#logs.close();
  }

  async handle(request: HttpRequest, passing: Passing): Promise<HttpResponse> {
    const host = this.#hosts.find(request.headers.host);
    if (host.log === null) return (await this.#serve(host, request, passing)).response;
    const { clock } = this.#options.env;
    const startMs = clock.monotonic();
    const { response, user } = await this.#serve(host, request, passing);
    const finish = (bodyBytes: number): void => {
      const durationMs = clock.monotonic() - startMs;
      const member = response.headers?.['x-pollux-member'];
      host.log?.({
        request,
        user,
        status: response.status,
        bodyBytes: request.method === 'HEAD' ? 0 : bodyBytes,
        endMs: clock.now(),
        durationMs,
        member: typeof member === 'string' ? member : '',
      });
    };
    const { body } = response;
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      finish(typeof body === 'string' ? Buffer.byteLength(body) : (body?.length ?? 0));
      return response;
    }
    return { ...response, body: counted(body, finish) };
  }

  async #serve(
    host: Host,
    given: HttpRequest,
    passing: Passing,
  ): Promise<{ readonly response: HttpResponse; readonly user: string }> {
    if (host.guard === null && host.limits.length === 0 && !host.needsCertificate) {
      return { response: await this.#pass(host, given, passing), user: given.principal.user };
    }
    const admission = await this.#admit(host, given);
    if ('refusal' in admission) return { response: admission.refusal, user: '' };
    const { request } = admission;
    return { response: await this.#pass(host, request, passing), user: request.principal.user };
  }

  async #pass({ locations }: Host, request: HttpRequest, passing: Passing): Promise<HttpResponse> {
    const group = groupFor(locations, request.target);
    if (group === null) return text(404, '404 page not found\n');
    if (group === '') return passing.toPair(request);
    try {
      return await passing.toGroup(group, request);
    } catch (error) {
      if (OperatingError.is(error) && error.code === 'HTTP.BODY_TOO_LARGE') {
        this.#options.metrics.refused.with('body size').inc();
        return text(413, `${error.message}\n`);
      }
      throw error;
    }
  }

  async #admit(host: Host, given: HttpRequest): Promise<Admission> {
    const { refused } = this.#options.metrics;
    // A certificate was checked against the authorities of the name that the handshake asked for.
    if (host.needsCertificate && this.#hosts.find(given.tls?.serverName) !== host) {
      refused.with('client certificate').inc();
      return { refusal: text(421, '421 Misdirected Request\n') };
    }
    if (host.needsCertificate && given.tls?.clientCertificate?.fault !== null) {
      refused.with('client certificate').inc();
      const why = given.tls?.clientCertificate?.fault ?? 'none was sent';
      return { refusal: text(400, `400 a verified client certificate is needed (${why})\n`) };
    }
    let principal: Principal | null = given.principal;
    if (host.guard !== null) {
      try {
        principal = await host.guard.admit(given);
      } catch (error) {
        if (!(error instanceof LimitError)) throw error;
        refused.with('logins').inc();
        return { refusal: text(503, `${error.message}\n`) };
      }
      if (principal === null) {
        refused.with('authentication').inc();
        const headers = { 'www-authenticate': host.guard.challenge };
        const answer = text(401, '401 Unauthorized\n');
        return { refusal: { ...answer, headers: { ...answer.headers, ...headers } } };
      }
    }
    const refusal = await this.#limit(host, given, principal.user);
    if (refusal !== null) {
      refused.with('rate').inc();
      return { refusal };
    }
    return { request: principal === given.principal ? given : asPrincipal(given, principal) };
  }

  /** Null when the request may go on, behind the wait that its limits ask for. */
  async #limit({ limits }: Host, request: HttpRequest, user: string): Promise<HttpResponse | null> {
    let waitMs = 0;
    for (const limit of limits) {
      const key = rateKey(limit.key, request, user);
      // As in nginx a request without the key is not limited by it.
      if (key === '') continue;
      const verdict = limit.ask(key);
      if ('status' in verdict) return text(verdict.status, `${verdict.status} too many requests\n`);
      waitMs = Math.max(waitMs, verdict.waitMs);
    }
    if (waitMs === 0) return null;
    try {
      await sleep(this.#options.env.clock, waitMs, request.signal);
    } catch (error) {
      if (!(error instanceof CanceledError)) throw error;
      return { status: 499 };
    }
    return null;
  }

  #host(config: HostConfig, general: Host['log']): Host {
    const { env } = this.#options;
    return {
      guard: config.auth === null ? null : new Guard(config.auth, env.files),
      limits: config.rate_limits.map((limit) => new RateLimit(limit, env.clock)),
      log: config.access_log === null ? general : this.#logs.format(config.access_log),
      locations: config.locations,
      needsCertificate: config.tls?.client_certificate === 'required',
    };
  }
}

const PAIR_ONLY: Host = {
  guard: null,
  limits: [],
  log: null,
  locations: [{ path: '/', match: 'prefix', group: '' }],
  needsCertificate: false,
};

/** An exact location, else the longest prefix; null when there is none, and an empty name for the pair. */
function groupFor(locations: HostConfig['locations'], target: string): string | null {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  let found: HostConfig['locations'][number] | null = null;
  for (const location of locations) {
    if (location.match === 'exact') {
      if (location.path === path) return location.group;
    } else if (path.startsWith(location.path) && location.path.length > (found?.path.length ?? 0)) {
      found = location;
    }
  }
  return found?.group ?? null;
}

function rateKey(key: string, { headers, remote }: HttpRequest, user: string): string {
  if (key === 'remote') return clientAddress(remote.host);
  if (key === 'user') return user;
  if (key === 'host') return hostName(headers.host ?? '');
  return headers[key.slice('header:'.length)] ?? '';
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  finish: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      yield chunk;
    }
  } finally {
    finish(bytes);
  }
}
