import { type Env, errorText, sleep } from '@pollux/base';
import { type CoverageReport, fromWire } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import type { GroupKind } from './config.ts';
import type { Upstream } from './upstream.ts';

/** Details for the console change slowly; every so many checks is enough. */
const DETAILS_EVERY = 4;
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

export type HealthOptions = {
  readonly env: Env;
  readonly log: Log;
  /** A silent member is found within this time: half of it between checks, half of it for the answer. */
  readonly intervalMs: number;
};

/** Checks one member until `signal` aborts; polls what it covers and what it says of itself. */
export async function watchUpstream(
  upstream: Upstream,
  kind: GroupKind,
  options: HealthOptions,
  signal: AbortSignal,
): Promise<void> {
  const { env, log } = options;
  const halfMs = options.intervalMs / 2;
  for (let round = 0; !signal.aborted; round++) {
    const wasUp = upstream.isUp;
    const error = await check(upstream, kind, options, round % DETAILS_EVERY === 0);
    if (signal.aborted) return;
    if (error === null) upstream.markUp(env.clock.now());
    else upstream.markDown(error);
    if (wasUp !== upstream.isUp) {
      const fields = { member: upstream.name, url: upstream.url, err: error ?? undefined };
      if (upstream.isUp) log.info('member is up', fields);
      else log.warn('member is down', fields);
    }
    await sleep(env.clock, halfMs, signal).catch(() => {});
  }
}

/** Null when the member is ready; else why not. */
async function check(
  upstream: Upstream,
  kind: GroupKind,
  options: HealthOptions,
  withDetails: boolean,
): Promise<string | null> {
  const { env, intervalMs } = options;
  const timeoutMs = intervalMs / 2;
  try {
    const path = kind === 'store' ? '/ping' : '/-/ready';
    const { status } = await env.net.request({
      method: 'GET',
      url: upstream.url + path,
      timeoutMs,
    });
    if (status >= 300) return `${path} answered ${status}`;
    if (kind === 'server') upstream.setCoverage(await pollCoverage(upstream, env, timeoutMs));
    if (withDetails) await pollDetails(upstream, options, timeoutMs);
    return null;
  } catch (error) {
    return errorText(error);
  }
}

async function pollCoverage(
  upstream: Upstream,
  env: Env,
  timeoutMs: number,
): Promise<CoverageReport | null> {
  const { status, body } = await env.net.request({
    method: 'GET',
    url: `${upstream.url}/api/v1/pollux/coverage`,
    headers: { 'accept-encoding': 'gzip' },
    timeoutMs,
    maxBodyBytes: MAX_REPORT_BYTES,
  });
  // A plain Prometheus has no such page.
  if (status === 404) return null;
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
