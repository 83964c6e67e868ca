import { CanceledError, type Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Annotation, RawBatch, RawSource, ReadContext, TimeRange } from '@pollux/storage';
import { Slices } from '../slices.ts';
import type { RawBuffers } from './raw-buffers.ts';
import { RawRecorder } from './raw-recorder.ts';
import { leastLabels, type SeriesCursor } from './series-cursor.ts';

/** Series of one batch. */
const BATCH_SERIES = 512;
/**
 * A slice of each selection under way may come before the thread looks at its sockets and timers again: two clients whose queries
 * two threads share have four.
 */
const SLICE_MS = 2;
/** A batch also ends with this many bytes. */
const BATCH_BYTES = 256 * 1024;

/** As MergeSelect, but leaves it to a {@link RawSamplesReader} in another thread to decode the chunks and to merge the samples. */
export class RawSelect implements RawSource {
  readonly warnings: readonly Annotation[];
  readonly #cursors: readonly SeriesCursor[];
  readonly #slices: Slices;
  readonly #context: ReadContext;
  readonly #recorder: RawRecorder;
  readonly #buffers: RawBuffers;
  #isPrepared = false;
  #isDone = false;

  /** `source.warnings` may grow while the cursors are read. */
  constructor(
    source: { readonly cursors: readonly SeriesCursor[]; readonly warnings: readonly Annotation[] },
    range: TimeRange,
    context: ReadContext,
    world: { readonly clock: Clock; readonly buffers: RawBuffers },
  ) {
    this.#cursors = source.cursors;
    this.warnings = source.warnings;
    this.#slices = new Slices(world.clock, context.signal, SLICE_MS);
    this.#context = context;
    this.#buffers = world.buffers;
    this.#recorder = new RawRecorder(range, world.buffers);
  }

  async next(): Promise<RawBatch | null> {
    if (this.#isDone) return null;
    try {
      const { signal } = this.#context;
      if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
      if (!this.#isPrepared) await this.#prepare();
      const labels = await this.#record();
      if (labels.length === 0) {
        this.close();
        return null;
      }
      const { samples, buffer } = this.#recorder.take();
      return { labels, samples, giveBack: () => this.#buffers.give(buffer) };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isDone = true;
    for (const cursor of this.#cursors) cursor.close();
  }

  async #prepare(): Promise<void> {
    this.#isPrepared = true;
    for (const cursor of this.#cursors) await cursor.prepare?.(this.#slices);
  }

  async #record(): Promise<Labels[]> {
    const recorder = this.#recorder;
    const batch: Labels[] = [];
    while (batch.length < BATCH_SERIES && recorder.sizeBytes < BATCH_BYTES && !this.#isDone) {
      if (this.#slices.isOver) await this.#slices.pause();
      const labels = leastLabels(this.#cursors);
      if (labels === null) break;
      recorder.begin();
      for (const cursor of this.#cursors) {
        if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
        recorder.from(cursor.block);
        if (cursor.hasSamples()) cursor.read(recorder);
        cursor.advance();
      }
      if (recorder.end()) batch.push(labels);
    }
    return batch;
  }
}
