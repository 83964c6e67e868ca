import { VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import { APPEND_OUTCOME } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { expect, it } from 'vitest';
import { Forwarding } from './forwarding.ts';
import type { TextTarget } from './text-target.ts';

const log = new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} });

it('forgets the texts of series before they fill the memory, and gives no number another meaning', async () => {
  const sent: string[] = [];
  const target: TextTarget = {
    name: 'graphite',
    head: (labels) => `${labels.get('n')}${'x'.repeat(40_000_000)}`,
    sample: (head, timestampMs, value) => `${head[0]} ${value} ${timestampMs};`,
    send: async (samples) => void sent.push(samples),
  };
  const registry = new Registry();
  const forwarding = new Forwarding({
    clock: new VirtualClock(0),
    log,
    registry,
    targets: [target],
  });
  const first = forwarding.appendable();
  const write = async (appendable: typeof first, refs: readonly number[], names: string[]) => {
    const appender = appendable.appender();
    const all = [...refs, ...names.map((n) => appender.series(Labels.from({ n })))];
    const outcomes = new Uint8Array(all.length);
    const times = Float64Array.from(all, () => 7);
    appender.appendFloats(Uint32Array.from(all), times, times, null, all.length, outcomes);
    await appender.commit();
    return { refs: all, outcomes: [...outcomes] };
  };
  const { refs } = await write(first, [], ['a']);
  expect(forwarding.appendable()).toBe(first);
  await write(first, refs, ['b']);
  const second = forwarding.appendable();
  expect(second).not.toBe(first);
  expect(await write(second, [], ['c'])).toMatchObject({ outcomes: [APPEND_OUTCOME.ok] });
  expect((await write(second, [2], [])).outcomes).toEqual([APPEND_OUTCOME.unknownRef]);
  expect(sent).toEqual(['a 7 7;', 'a 7 7;b 7 7;', 'c 7 7;']);
});
