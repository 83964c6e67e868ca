import { type StopSignal, StopSource, sleep, VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { type Silence, unlessSilent } from './silence.ts';

/** A server that answers a read after `readMs` and a probe after `probeMs`; both are null for never. */
function server(
  readMs: number | null,
  probeMs: number | null,
  memory: Silence = { isKnown: false },
) {
  const clock = new VirtualClock();
  const parent = new StopSource();
  const probes: number[] = [];
  const take = async (ms: number | null, signal: StopSignal): Promise<string> => {
    await sleep(clock, ms ?? 3_600_000, signal);
    return 'answer';
  };
  const result = unlessSilent({
    clock,
    signal: parent,
    memory,
    read: (signal) => take(readMs, signal),
    probe: async (timeoutMs) => {
      probes.push(clock.monotonic());
      await sleep(clock, Math.min(probeMs ?? timeoutMs, timeoutMs));
      if (probeMs === null || probeMs > timeoutMs) throw new Error('timed out');
    },
  }).then(
    (answer) => ({ answer, atMs: clock.monotonic() }),
    (error: Error) => ({ answer: error.message, atMs: clock.monotonic() }),
  );
  return { clock, parent, probes, result };
}

describe('a remote that is read', () => {
  it('is not probed when it answers soon', async () => {
    const { clock, probes, result } = server(400, null);
    await clock.advance(10_000);
    expect(await result).toEqual({ answer: 'answer', atMs: 400 });
    expect(probes).toEqual([]);
  });

  it('may take its time as long as it answers probes', async () => {
    const { clock, probes, result } = server(9_000, 10);
    await clock.advance(60_000);
    expect(await result).toEqual({ answer: 'answer', atMs: 9_000 });
    expect(probes).toEqual([500, 2_510, 4_520, 6_530, 8_540]);
  });

  it('is given up after two seconds when it answers neither', async () => {
    const { clock, result } = server(null, null);
    await clock.advance(60_000);
    const { answer, atMs } = await result;
    expect(answer).toBe('silent: a probe was not answered within 1500 ms either');
    expect(atMs).toBe(2_000);
  });

  it('is given up sooner when it was silent before, until it answers again', async () => {
    const memory = { isKnown: false };
    const first = server(null, null, memory);
    await first.clock.advance(60_000);
    expect(memory.isKnown).toBe(true);
    const second = server(null, null, memory);
    await second.clock.advance(60_000);
    expect((await second.result).atMs).toBe(300);
    const third = server(5_000, 10, memory);
    await third.clock.advance(60_000);
    expect(await third.result).toEqual({ answer: 'answer', atMs: 5_000 });
    expect(third.probes.slice(0, 2)).toEqual([0, 2_010]);
    expect(memory.isKnown).toBe(false);
  });

  it('is found again when it is far away and needs long for a new connection', async () => {
    const memory = { isKnown: true };
    const first = server(2_000, 900, memory);
    await first.clock.advance(60_000);
    expect((await first.result).atMs).toBe(300);
    expect(memory.isKnown).toBe(false);
    const second = server(2_000, 900, memory);
    await second.clock.advance(60_000);
    expect(await second.result).toEqual({ answer: 'answer', atMs: 2_000 });
  });

  it('is waited for no longer than its reader waits', async () => {
    const { clock, parent, probes, result } = server(null, 10);
    await clock.advance(1_000);
    parent.abort(new Error('the query was canceled'));
    await clock.advance(60_000);
    expect((await result).atMs).toBe(1_000);
    expect(probes).toEqual([500]);
  });
});
