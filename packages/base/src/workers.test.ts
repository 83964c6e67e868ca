import { describe, expect, it } from 'vitest';
import {
  InlineWorkers,
  LimitError,
  OperatingError,
  systemCode,
  TimeoutError,
  type WorkerEntry,
  type WorkerHandle,
  type Workers,
} from './index.ts';
import { NodeWorkers, nodeEnv } from './node/index.ts';
import { TRIAL, type TrialReply, type TrialRequest } from './testing/trial-worker.ts';

const threads = new NodeWorkers();
const inline = new InlineWorkers(nodeEnv());

type Trial = {
  readonly worker: WorkerHandle<TrialRequest>;
  readonly replies: TrialReply[];
  /** Resolves when so many replies have come. */
  readonly replied: (count: number) => Promise<void>;
  readonly abort: AbortController;
};

function start(
  workers: Workers,
  changed: { maxSilenceMs?: number; entry?: typeof TRIAL } = {},
): Trial {
  const replies: TrialReply[] = [];
  const abort = new AbortController();
  const worker = workers.start(changed.entry ?? TRIAL, {
    data: { offset: 100 },
    onMessage: (reply) => replies.push(reply),
    signal: abort.signal,
    maxSilenceMs: changed.maxSilenceMs ?? 20_000,
    maxHeapMegabytes: 32,
  });
  const replied = async (count: number): Promise<void> => {
    while (replies.length < count) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return { worker, replies, replied, abort };
}

describe.each([
  ['in-line', inline],
  ['in threads', threads],
] as const)('workers %s', (_, workers) => {
  it('answer in the order in which they are asked, and end', async () => {
    const { worker, replies } = start(workers);
    for (let i = 0; i < 50; i++) worker.post({ kind: 'add', numbers: Float64Array.of(i, 1) });
    worker.post({ kind: 'end' });
    await worker.ended;
    expect(replies).toEqual(Array.from({ length: 50 }, (_, i) => ({ kind: 'sum', sum: 101 + i })));
    worker.post({ kind: 'end' });
    await worker.stop();
  });

  it('share memory, and hand over what is transferred', async () => {
    const { worker, replies, replied } = start(workers);
    const shared = new Int32Array(new SharedArrayBuffer(16));
    worker.post({ kind: 'fill', shared });
    const bytes = Uint8Array.of(1, 2, 3);
    worker.post({ kind: 'hand-back', bytes }, [bytes.buffer]);
    expect(bytes.length).toBe(0);
    await replied(2);
    expect([...shared]).toEqual([7, 7, 7, 7]);
    expect(replies[1]).toEqual({ kind: 'bytes', bytes: Uint8Array.of(1, 2, 3) });
    await worker.stop();
  });

  it('end with the error of their work, with its code and its cause', async () => {
    const bad = start(workers);
    bad.worker.post({ kind: 'fail', how: 'operating' });
    const error = await bad.worker.ended.catch((reason: unknown) => reason);
    expect(OperatingError.is(error)).toBe(true);
    expect(error).toMatchObject({
      name: 'OperatingError',
      code: 'TRIAL.BAD',
      message: 'it is bad',
      cause: { message: 'inside' },
    });
    const missing = start(workers);
    missing.worker.post({ kind: 'fail', how: 'system' });
    expect(systemCode(await missing.worker.ended.catch((reason: unknown) => reason))).toBe(
      'ENOENT',
    );
  });

  it('are canceled by their signal and by being stopped', async () => {
    const aborted = start(workers);
    aborted.worker.post({ kind: 'hang' });
    aborted.abort.abort(new Error('enough'));
    await expect(aborted.worker.ended).rejects.toMatchObject({
      code: 'BASE.CANCELED',
      cause: { message: 'enough' },
    });
    const stopped = start(workers);
    await stopped.worker.stop();
    await expect(stopped.worker.ended).rejects.toMatchObject({ code: 'BASE.CANCELED' });
    const late = new AbortController();
    late.abort();
    const options = { data: { offset: 0 }, onMessage: () => {}, maxSilenceMs: 20_000 };
    const never = workers.start(TRIAL, { ...options, signal: late.signal, maxHeapMegabytes: 32 });
    await expect(never.ended).rejects.toMatchObject({ code: 'BASE.CANCELED' });
  });

  it('are stopped by what the reader of their messages throws', async () => {
    const worker = workers.start(TRIAL, {
      data: { offset: 0 },
      onMessage: () => {
        throw new OperatingError('READER.FULL', 'no more');
      },
      signal: new AbortController().signal,
      maxSilenceMs: 20_000,
      maxHeapMegabytes: 32,
    });
    worker.post({ kind: 'add', numbers: Float64Array.of(1) });
    await expect(worker.ended).rejects.toMatchObject({ code: 'READER.FULL' });
  });
});

describe('a thread', () => {
  it('that fails outside of its work, or exits, ends with an error that names it', async () => {
    for (const how of ['uncaught', 'exit'] as const) {
      const { worker } = start(threads);
      worker.post({ kind: 'fail', how });
      await expect(worker.ended).rejects.toMatchObject({
        code: 'BASE.WORKER_EXIT',
        message: expect.stringContaining('TRIAL'),
      });
    }
  });

  it('that needs more memory than it may have ends with an error that names the limit', async () => {
    const { worker } = start(threads);
    worker.post({ kind: 'fail', how: 'memory' });
    const error = await worker.ended.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ code: 'BASE.WORKER_MEMORY', limit: 'maxHeapMegabytes' });
  });

  it('that falls silent is stopped', async () => {
    const { worker } = start(threads, { maxSilenceMs: 100 });
    worker.post({ kind: 'hang' });
    await expect(worker.ended).rejects.toBeInstanceOf(TimeoutError);
  });

  it('whose module is not there ends with an error', async () => {
    const entry: WorkerEntry<{ readonly offset: number }, TrialRequest, TrialReply> = {
      ...TRIAL,
      module: `${import.meta.url}.missing.ts`,
    };
    await expect(start(threads, { entry }).worker.ended).rejects.toMatchObject({
      code: 'ERR_MODULE_NOT_FOUND',
    });
  });
});
