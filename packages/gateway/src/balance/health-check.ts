import { type Env, errorText, sleep } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { Upstream } from '../upstream.ts';
import type { HealthConfig } from './group-config.ts';

/** An answer's body is of no interest; a health page is short. */
const MAX_BODY_BYTES = 1024 * 1024;

export type HealthCheckOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly config: HealthConfig;
  /** Called after each good check of a member that is up. */
  readonly onGood: () => void;
};

/**
 * Asks a member of any HTTP group for one page until `signal` aborts. Statuses 200 to 399 are good. The first check decides at once;
 * later `falls` bad ones in a row take it out and `rises` good ones bring it back.
 */
export async function checkHealth(
  member: Upstream,
  options: HealthCheckOptions,
  signal: AbortSignal,
): Promise<void> {
  const { env, log, config, onGood } = options;
  let runLength = Number.POSITIVE_INFINITY;
  let wasGood: boolean | null = null;
  while (!signal.aborted) {
    const fault = await faultOf(member, env, config);
    if (signal.aborted) return;
    const isGood = fault === null;
    if (wasGood !== null) runLength = isGood === wasGood ? runLength + 1 : 1;
    wasGood = isGood;
    const wasUp = member.isUp;
    if (isGood && (wasUp || runLength >= config.rises)) member.markUp(env.clock.now());
    else if (!isGood && (!wasUp || runLength >= config.falls)) member.markDown(fault ?? '');
    if (isGood && member.isUp) onGood();
    if (wasUp !== member.isUp) {
      const fields = { member: member.name, url: member.url, err: fault };
      if (member.isUp) log.info('member is up', fields);
      else log.warn('member is down', fields);
    }
    // It rejects at the stop only, which the loop looks at.
    await sleep(env.clock, config.interval, signal).catch(() => {});
  }
}

async function faultOf(
  member: Upstream,
  env: Env,
  { path, timeout }: HealthConfig,
): Promise<string | null> {
  try {
    const { status } = await env.net.request({
      method: 'GET',
      url: member.url + path,
      timeoutMs: timeout,
      maxBodyBytes: MAX_BODY_BYTES,
    });
    return status >= 200 && status < 400 ? null : `${path} answered ${status}`;
  } catch (error) {
    return errorText(error);
  }
}
