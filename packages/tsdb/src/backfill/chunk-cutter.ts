import {
  createXorAppendState,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from '@pollux/kernels';
import { chunkEndMs, rangeEndMs } from '../head/chunk-times.ts';

export type ChunkCutterOptions = {
  /** No chunk crosses a multiple of it. */
  readonly chunkRangeMs: number;
  readonly samplesPerChunk: number;
};

/** A finished chunk; `bytes` is lent until the next sample. */
export type CutChunk = {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly count: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/**
 * Encodes the samples of one series after another into XOR chunks, cut by the rules of the head, so that a block made from
 * a file has the chunks that scraping the same samples would have given.
 */
export class ChunkCutter {
  readonly #options: ChunkCutterOptions;
  readonly #state = createXorAppendState(1);
  readonly #bytes = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES * 2);
  #minMs = 0;
  #cutMs = 0;

  constructor(options: ChunkCutterOptions) {
    this.#options = options;
  }

  /** True when the sample must begin a new chunk: {@link take} the open one first. Times ascend strictly. */
  mustCut(timestampMs: number): boolean {
    const state = this.#state;
    const count = state.count[0]!;
    if (count === 0) return false;
    const { samplesPerChunk } = this.#options;
    if (count === samplesPerChunk >> 2) {
      this.#cutMs = chunkEndMs(this.#minMs, state.lastTimestampMs[0]!, this.#cutMs, 4);
    }
    return (
      timestampMs >= this.#cutMs ||
      count >= samplesPerChunk * 2 ||
      xorByteLength(state, 0) > XOR_CUT_BYTES
    );
  }

  append(timestampMs: number, valueLow: number, valueHigh: number): void {
    if (this.#state.count[0] === 0) {
      this.#minMs = timestampMs;
      this.#cutMs = rangeEndMs(timestampMs, this.#options.chunkRangeMs);
    }
    xorAppend(this.#state, 0, this.#bytes, 0, timestampMs, valueLow, valueHigh);
  }

  /** The open chunk, or null when it has no sample; the next sample begins another. */
  take(): CutChunk | null {
    const state = this.#state;
    const count = state.count[0]!;
    if (count === 0) return null;
    const length = xorByteLength(state, 0);
    const maxMs = state.lastTimestampMs[0]!;
    resetXorAppend(state, 0);
    return { bytes: this.#bytes, length, count, minMs: this.#minMs, maxMs };
  }
}
