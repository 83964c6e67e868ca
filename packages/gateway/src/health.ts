import {
  type Env,
  errorText,
  type HttpPool,
  type Net,
  OperatingError,
  type StopSignal,
  sleep,
} from '@pollux/base';
import { type CoverageReport, fromWire } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import type { GroupKind } from './config.ts';
import { PlainMember } from './plain/plain-member.ts';
import { ownScrapes } from './plain/read-plain-past.ts';
import type { Upstream } from './upstream.ts';

/** Details for the console change slowly; every so many checks is enough. */
const DETAILS_EVERY = 8;
/** Coverage of a member that stays up is polled at every second check. */
const COVERAGE_EVERY = 2;
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

export type HealthOptions = {
  readonly env: Env;
  readonly log: Log;
  /**
   * A silent member is found within this time: a quarter of it between checks, a quarter for the answer, twice. One answer
   * that stays out is suspicion only, since a busy machine makes such pauses; a refused connection is proof at once.
   */
  readonly intervalMs: number;
  /** How far back the coverage of a plain Prometheus is told from its samples; 0: not at all. */
  readonly plainLookbackMs: number;
  /** For answers that are read as they come. */
  readonly pool: HttpPool;
  /** Called after each good check. */
  readonly onGood: () => void;
};

/** Checks one member until `signal` aborts; polls what it covers and what it says of itself. */
export async function watchUpstream(
  upstream: Upstream,
  kind: GroupKind,
  options: HealthOptions,
  signal: StopSignal,
): Promise<void> {
  const { env, log } = options;
  for (let round = 0; !signal.aborted; round++) {
    const wasUp = upstream.isUp;
    const fault = await check(upstream, kind, options, round);
    if (signal.aborted) return;
    if (fault === null) {
      upstream.markUp(env.clock.now());
      options.onGood();
    } else if (fault.isSilence && wasUp && !upstream.isSuspect) upstream.suspect(fault.why);
    else upstream.markDown(fault.why);
    if (wasUp !== upstream.isUp) {
      const fields = { member: upstream.name, url: upstream.url, err: fault?.why };
      if (upstream.isUp) log.info('member is up', fields);
      else log.warn('member is down', fields);
    }
    if (kind === 'server') followPlain(upstream, options, signal);
    else if (kind === 'store') followStored(upstream, signal);
    await sleep(env.clock, options.intervalMs / 4, signal).catch(() => {});
  }
  await upstream.plain?.settled();
}

/** A member without reports is read. */
function followPlain(
  upstream: Upstream,
  { env, log, pool, plainLookbackMs: lookbackMs }: HealthOptions,
  signal: StopSignal,
): void {
  if (!upstream.isUp) {
    upstream.plain?.seenDown();
    return;
  }
  if (upstream.plain === null) {
    if (upstream.coverage !== null || lookbackMs === 0) return;
    upstream.plain = new PlainMember({
      env,
      log,
      upstream,
      lookbackMs,
      source: ownScrapes(env, pool, upstream),
    });
  }
  upstream.plain.keepUp(signal);
}

/** A store that is read for what no server has; else it follows nothing. */
function followStored(upstream: Upstream, signal: StopSignal): void {
  if (!upstream.isUp) upstream.plain?.seenDown();
  else upstream.plain?.keepUp(signal);
  upstream.setCoverage(upstream.plain?.report() ?? null);
}

type Fault = { readonly why: string; readonly isSilence: boolean };

/** Null when the member is ready; else why not. */
async function check(
  upstream: Upstream,
  kind: GroupKind,
  options: HealthOptions,
  round: number,
): Promise<Fault | null> {
  const { env, intervalMs } = options;
  const timeoutMs = intervalMs / 4;
  try {
    const path = kind === 'store' ? '/ping' : '/-/ready';
    const { status } = await env.net.request({
      method: 'GET',
      url: upstream.url + path,
      timeoutMs,
    });
    if (status >= 300) return { why: `${path} answered ${status}`, isSilence: false };
    if (kind === 'server' && (!upstream.isUp || round % COVERAGE_EVERY === 0)) {
      const report = await pollCoverage(upstream, env.net, timeoutMs);
      if (report !== null) upstream.plain = null;
      upstream.setCoverage(report ?? upstream.plain?.report() ?? null);
    }
    if (round % DETAILS_EVERY === 0) await pollDetails(upstream, options, timeoutMs);
    return null;
  } catch (error) {
    const isSilence = OperatingError.is(error) && error.code === 'BASE.TIMEOUT';
    return { why: errorText(error), isSilence };
  }
}

/** Null of a member that keeps no report. */
export async function pollCoverage(
  upstream: Upstream,
  net: Pick<Net, 'request'>,
  timeoutMs: number,
): Promise<CoverageReport | null> {
  const { status, body } = await net.request({
    method: 'GET',
    url: `${upstream.url}/api/v1/pollux/coverage`,
    headers: { 'accept-encoding': 'gzip' },
    timeoutMs,
    maxBodyBytes: MAX_REPORT_BYTES,
  });
  // A plain Prometheus has no such page; others answer 400 then, or ask for a password.
  if (status >= 400 && status < 500) return null;
  return fromWire(JSON.parse(new TextDecoder().decode(body)));
}

/** Only the console shows them: a member that does not give them is none the worse for it. */
async function pollDetails(
  upstream: Upstream,
  { env, log }: HealthOptions,
  timeoutMs: number,
): Promise<void> {
  try {
    const { status, body } = await env.net.request({
      method: 'GET',
      url: `${upstream.url}/api/v1/pollux/status`,
      timeoutMs,
    });
    upstream.setDetails(status === 200 ? JSON.parse(new TextDecoder().decode(body)) : null);
  } catch (error) {
    upstream.setDetails(null);
    log.debug('member gives no details', { member: upstream.name, err: errorText(error) });
  }
}
