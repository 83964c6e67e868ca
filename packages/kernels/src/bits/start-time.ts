import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';

/**
 * Start timestamps in the encodings 4 to 6; layout in `histogram-chunk.md`. Each is kept as its distance from the sample
 * before, and written only from the first change on.
 */
export type StartTimeState = {
  /** 0 = unknown. */
  startMs: number;
  distanceMs: number;
  /** Index of the sample from which on every one has its distance; 0 = none so far. */
  changedAt: number;
  /** Whether the first sample has one. */
  isFirstKnown: boolean;
};

/** `changedAt` has seven bits: at the latest this sample begins to have one. */
const MAX_CHANGED_AT = 127;

/** The state by the header's byte; 0 for a new chunk. */
export function startTimeState(header: number): StartTimeState {
  return {
    startMs: 0,
    distanceMs: 0,
    changedAt: header & 0x7f,
    isFirstKnown: header >= 0x80,
  };
}

export function startTimeHeader(state: StartTimeState): number {
  return (state.isFirstKnown ? 0x80 : 0) | state.changedAt;
}

/** Writes what sample `index` at `nowMs`, after one at `beforeMs`, needs behind it. */
export function writeStartTime(
  writer: BitWriter,
  state: StartTimeState,
  sample: { readonly index: number; readonly nowMs: number; readonly beforeMs: number },
  startMs: number,
): void {
  const { index, nowMs, beforeMs } = sample;
  if (index === 0) {
    state.isFirstKnown = startMs !== 0;
    if (state.isFirstKnown) writer.varint(nowMs - startMs);
  } else if (state.changedAt > 0) {
    const distanceMs = beforeMs - startMs;
    writer.varbitInt(distanceMs - state.distanceMs);
    state.distanceMs = distanceMs;
  } else if (startMs !== state.startMs || index === MAX_CHANGED_AT) {
    state.changedAt = index;
    state.distanceMs = beforeMs - startMs;
    writer.varbitInt(state.distanceMs);
  }
  state.startMs = startMs;
}

/** The start timestamp of sample `index`. Throws DecodeError. */
export function readStartTime(
  reader: BitReader,
  state: StartTimeState,
  index: number,
  nowMs: number,
  beforeMs: number,
): number {
  if (index === 0) {
    if (state.isFirstKnown) state.startMs = nowMs - reader.varint();
  } else if (state.changedAt > 0 && index >= state.changedAt) {
    const read = reader.varbitInt();
    state.distanceMs = index === state.changedAt ? read : state.distanceMs + read;
    state.startMs = beforeMs - state.distanceMs;
  }
  return state.startMs;
}
