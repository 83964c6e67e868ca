import { VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { limitAhead, MAX_AHEAD_MS } from './ahead-limit.ts';
import { APPEND_OUTCOME, type Appender } from './appendable.ts';

type Taken = { ref: number; timestampMs: number; bits: bigint; startMs: number };

/** Takes everything, except that it knows no ref above 100. */
function recording(): { taken: Taken[]; calls: number; appender: Appender } {
  const state = { taken: [] as Taken[], calls: 0 };
  const appender: Appender = {
    refusesOutOfOrder: false,
    series: () => 1,
    appendFloats: (refs, timestampsMs, values, starts, count, outcomes) => {
      state.calls++;
      const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
      for (let i = 0; i < count; i++) {
        outcomes[i] = refs[i]! > 100 ? APPEND_OUTCOME.unknownRef : APPEND_OUTCOME.ok;
        const startMs = starts?.[i] ?? 0;
        state.taken.push({ ref: refs[i]!, timestampMs: timestampsMs[i]!, bits: bits[i]!, startMs });
      }
      return count;
    },
    appendHistogram: () => APPEND_OUTCOME.ok,
    appendExemplar: () => {},
    setMetadata: () => {},
    commit: async () => {},
    rollback: () => {},
  };
  return Object.assign(state, { appender });
}

describe('the limit ahead of the clock', () => {
  it('refuses what is more than ten minutes ahead and passes the rest on, bit for bit', () => {
    const clock = new VirtualClock();
    const inner = recording();
    const appender = limitAhead({ appender: () => inner.appender }, clock).appender();
    const edge = clock.now() + MAX_AHEAD_MS;
    const values = new Float64Array(4);
    new BigUint64Array(values.buffer).set([1n, 2n, 0x7ff0000000000002n, 4n]);
    const outcomes = new Uint8Array(4);
    const refs = Uint32Array.of(1, 2, 3, 101);
    const times = Float64Array.of(edge, edge + 1, edge - 5, edge);
    appender.appendFloats(refs, times, values, Float64Array.of(9, 8, 7, 6), 4, outcomes);
    const { ok, tooFarAhead, unknownRef } = APPEND_OUTCOME;
    expect([...outcomes]).toEqual([ok, tooFarAhead, ok, unknownRef]);
    expect(inner.taken).toEqual([
      { ref: 1, timestampMs: edge, bits: 1n, startMs: 9 },
      { ref: 3, timestampMs: edge - 5, bits: 0x7ff0000000000002n, startMs: 7 },
      { ref: 101, timestampMs: edge, bits: 4n, startMs: 6 },
    ]);
  });

  it('hands an ordinary batch on as it is, and the wish to refuse what is late', () => {
    const clock = new VirtualClock();
    const inner = recording();
    const appender = limitAhead({ appender: () => inner.appender }, clock).appender();
    appender.refusesOutOfOrder = true;
    expect(inner.appender.refusesOutOfOrder).toBe(true);
    const times = Float64Array.of(clock.now(), clock.now() - 1);
    appender.appendFloats(
      Uint32Array.of(1, 2),
      times,
      new Float64Array(2),
      null,
      2,
      new Uint8Array(2),
    );
    expect(inner.calls).toBe(1);
    expect(inner.taken).toHaveLength(2);
  });
});
