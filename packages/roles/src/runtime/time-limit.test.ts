import { type HttpHandler, sleep, VirtualClock } from '@pollux/base';
import { text } from '@pollux/http';
import { expect, it } from 'vitest';
import { withTimeLimit } from './web.ts';

it('answers 503 for a request that takes too long, and leaves others as they are', async () => {
  const clock = new VirtualClock(0);
  const handler: HttpHandler = async ({ target }) => {
    await sleep(clock, Number(target), new AbortController().signal);
    return text(200, 'done');
  };
  const ask = (limitMs: number, takesMs: number) =>
    withTimeLimit(clock, { handler }, limitMs).handler({
      target: String(takesMs),
    } as Parameters<HttpHandler>[0]);
  const answers = Promise.all([ask(5_000, 1_000), ask(5_000, 9_000), ask(0, 9_000)]);
  await clock.advance(10_000);
  expect((await answers).map(({ status, body }) => [status, body])).toEqual([
    [200, 'done'],
    [503, 'Exceeded configured timeout of 5s.\n'],
    [200, 'done'],
  ]);
});
