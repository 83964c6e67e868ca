import { type Env, type HttpClientRequest, OperatingError, VirtualClock } from '@pollux/base';
import { expect, it } from 'vitest';
import { coverageOnceRead } from './evaluate-here.ts';
import { readQueryParams } from './query-params.ts';
import { MemberReadError } from './splice/member-read-error.ts';
import { Upstream } from './upstream.ts';

/** A member that says nothing until the request is given up. */
function silence({ signal }: HttpClientRequest): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

it('a member that falls silent after it was read is not waited for once it is found to be down', async () => {
  const member = new Upstream('a', 'http://a:9090');
  member.markUp(1_000);
  member.setCoverage({
    configIdentity: '',
    nowMs: 1_000,
    sinceMs: 0,
    bucketsSinceMs: 0,
    serverGaps: [],
    subjects: [],
  });
  const params = readQueryParams(new URLSearchParams({ query: 'up', time: '1' }), false, {
    nowMs: 1_000,
    lookbackMs: 300_000,
  });
  if (params === null) throw new Error('`up` is a query');
  const env = { clock: new VirtualClock(1_000), net: { request: silence } } as unknown as Env;
  const ask = (signal: AbortSignal): Promise<unknown> =>
    coverageOnceRead(member, params, { env, requestTimeoutMs: 120_000, signal }).catch(
      (error: unknown) => error,
    );
  const read = ask(new AbortController().signal);
  const client = new AbortController();
  const left = ask(client.signal);
  client.abort(new OperatingError('TEST.LEFT', 'the client has left'));
  expect(await left).toMatchObject({ code: 'TEST.LEFT' });
  member.markDown('no answer');
  const error = await read;
  expect(error).toBeInstanceOf(MemberReadError);
  expect(error).toMatchObject({ upstream: member });
});
