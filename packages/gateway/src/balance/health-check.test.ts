import { type Env, type HttpClientResponse, OperatingError, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Log } from '@pollux/telemetry';
import { expect, it } from 'vitest';
import { Upstream } from '../upstream.ts';
import { checkHealth } from './health-check.ts';

it('takes a member out behind so many bad checks in a row, and back behind so many good ones', async () => {
  const clock = new VirtualClock(1_700_000_000_000);
  let status = 200;
  const request = async (): Promise<HttpClientResponse> => {
    if (status === 0) throw new OperatingError('BASE.CONNECTION', 'refused');
    return { status, headers: {}, body: new Uint8Array() };
  };
  const env: Env = { ...nodeEnv(), clock };
  Object.assign(env, { net: { request } });
  const member = new Upstream('a', 'http://a');
  const stop = new AbortController();
  let goodCount = 0;
  const config = { path: '/health', interval: 1_000, timeout: 500, falls: 3, rises: 2 };
  const onGood = (): void => void goodCount++;
  const done = checkHealth(member, { env, log: Log.silent(), config, onGood }, stop.signal);
  const states: boolean[] = [];
  const rounds = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await clock.advance(1_000);
      states.push(member.isUp);
    }
  };
  await rounds(1);
  status = 500;
  await rounds(3);
  status = 0;
  await rounds(1);
  status = 302;
  await rounds(2);
  expect(states).toEqual([true, true, true, false, false, false, true]);
  expect(goodCount).toBeGreaterThan(1);
  stop.abort();
  await clock.advance(1_000);
  await done;
});
