import type { SampleColumns } from '../format/wal-record.ts';
import type { LogSource } from '../wal/log-sources.ts';
import type { Damage } from '../wal/segment-reader.ts';

/**
 * How a worker hands the records of a log to the thread that applies them.
 *
 *     worker                                    applying thread
 *     ──────                                    ───────────────
 *     reads, checks, inflates, decodes
 *     writes slot s ──────── Filled{slot: s} ──▶ applies the ops of slot s in their order
 *     may write s again ◀───── {slot: s} ─────── when it is done with them
 *
 * A slot is a piece of shared memory of fixed size. Of each slot only one side knows at a time: the worker until it posts
 * Filled, the other until it posts the slot back; the messages order the memory, so nothing in it needs Atomics. What a
 * slot cannot hold travels in the message.
 */
export const SLOT_COUNT = 4;

/** A record with more is left undecoded. */
const SLOT_SAMPLES = 16_384;
const SLOT_SERIES_WORDS = 65_536;
export const SLOT_BYTES = 256 * 1024;
const SLOT_OPS = 1024;

/** Fields of an op: its kind, a range or a place, and the file's offset behind its record. */
export const OP = { kind: 0, from: 1, to: 2, offset: 3, fields: 4 } as const;

export const OP_KIND = {
  /** `[from, to)` of the sample columns are one record. */
  samples: 0,
  /** As `samples`, with start timestamps. */
  samplesWithStart: 5,
  /** `[from, to)` of the series words are one record: see {@link TextTokens} for the texts. */
  series: 1,
  /** `[from, to)` of the bytes are a record as the log has it, of another kind or one that does not decode. */
  record: 2,
  /** As `record`, the bytes being number `from` of the message. */
  largeRecord: 3,
  /** Note number `from` of the message. */
  note: 4,
} as const;

/** Shared memory of one slot; all of it written by the worker only. */
export type FeedSlot = {
  readonly ops: Float64Array;
  readonly timestampsMs: Float64Array;
  readonly refs: Uint32Array;
  readonly valueWords: Uint32Array;
  /** Of ops of the kind `samplesWithStart`. */
  readonly startTimestampsMs: Float64Array;
  /** For each series its reference, the number of its texts, and a token or a new text each. */
  readonly seriesWords: Uint32Array;
  readonly bytes: Uint8Array;
};

/** Something that happened between two records. */
export type FeedNote =
  | { readonly kind: 'file'; readonly source: number }
  | { readonly kind: 'damage'; readonly damage: Damage }
  | { readonly kind: 'end' };

export type FeedStart = {
  readonly sources: readonly LogSource[];
  readonly slots: readonly FeedSlot[];
};

export type FilledSlot = {
  readonly slot: number;
  readonly opCount: number;
  readonly byteCount: number;
  readonly notes: readonly FeedNote[];
  readonly large: readonly Uint8Array[];
};

/** The slot may be written again. */
export type FreeSlot = { readonly slot: number };

export function createSlot(): FeedSlot {
  return {
    ops: shared(Float64Array, SLOT_OPS * OP.fields),
    timestampsMs: shared(Float64Array, SLOT_SAMPLES),
    refs: shared(Uint32Array, SLOT_SAMPLES),
    valueWords: shared(Uint32Array, SLOT_SAMPLES * 2),
    startTimestampsMs: shared(Float64Array, SLOT_SAMPLES),
    seriesWords: shared(Uint32Array, SLOT_SERIES_WORDS),
    bytes: shared(Uint8Array, SLOT_BYTES),
  };
}

/** The samples of a slot as the appliers of records take them; `count` is not used. */
export function slotColumns(slot: FeedSlot, hasStart: boolean): SampleColumns {
  const { refs, timestampsMs, valueWords } = slot;
  const startTimestampsMs = hasStart ? slot.startTimestampsMs : null;
  return { refs, timestampsMs, valueWords, startTimestampsMs, count: 0 };
}

function shared<T>(
  Column: {
    new (buffer: SharedArrayBuffer): T;
    readonly BYTES_PER_ELEMENT: number;
  },
  length: number,
): T {
  return new Column(new SharedArrayBuffer(length * Column.BYTES_PER_ELEMENT));
}
