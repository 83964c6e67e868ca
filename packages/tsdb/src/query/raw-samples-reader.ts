import { assert, errorText } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type {
  Annotation,
  OpenRawReader,
  RawReader,
  ReadContext,
  SelectRequest,
  SeriesColumns,
} from '@pollux/storage';
import { isDamage } from '../block/block-cursor.ts';
import { damageWarning } from '../block/damage-report.ts';
import type { Interval } from '../head/intervals.ts';
import { BatchBuilder } from './batch-builder.ts';
import { ColumnBuilder } from './column-builder.ts';
import { ColumnPool } from './column-pool.ts';
import {
  type RawSamples,
  STEP_CHUNK,
  STEP_HISTOGRAMS,
  STEP_SAMPLES,
  STEP_SAMPLES_WITH_START,
} from './raw-samples.ts';

/** Reads in another thread what `Tsdb.selectRaw` gives; one for each thread, since its readers use the same columns in turn. */
export function rawSamplesOpener(): OpenRawReader {
  const pool = new ColumnPool();
  return (request, context) => new RawSamplesReader(request, context, pool);
}

/** Decodes what a RawSelect has recorded, and gives what a MergeSelect would have given, in batches as large. */
class RawSamplesReader implements RawReader {
  readonly warnings: Annotation[] = [];
  readonly #builder: ColumnBuilder;
  readonly #batches: BatchBuilder;
  readonly #damaged = new Set<string>();
  #walk: RawWalk | null = null;
  #labels: readonly Labels[] = [];
  #index = 0;

  constructor(request: SelectRequest, { budget }: ReadContext, pool: ColumnPool) {
    this.#builder = new ColumnBuilder(request.range, budget, { pool });
    this.#batches = new BatchBuilder(this.#builder, request, budget);
  }

  begin(labels: readonly Labels[], samples: unknown): void {
    this.#walk = new RawWalk(samples as RawSamples);
    this.#labels = labels;
    this.#index = 0;
  }

  next(): readonly SeriesColumns[] | null {
    this.#batches.begin();
    while (this.#walk !== null && this.#index < this.#labels.length && this.#batches.hasRoom) {
      const labels = this.#labels[this.#index++]!;
      for (let left = this.#walk.step(); left > 0; left--) this.#add(this.#walk, labels);
      if (this.#builder.count > 0) this.#batches.add(labels);
    }
    const batch = this.#batches.end();
    return batch.length === 0 ? null : batch;
  }

  close(): void {
    this.#batches.close();
    this.#builder.close();
  }

  #add(walk: RawWalk, labels: Labels): void {
    const kind = walk.step();
    if (kind === STEP_CHUNK) this.#addChunk(walk, labels);
    else if (kind === STEP_SAMPLES || kind === STEP_SAMPLES_WITH_START) {
      const count = walk.step();
      const timestampsMs = walk.numbers(count);
      const values = walk.numbers(count);
      const words = new Uint32Array(values.buffer, values.byteOffset, count * 2);
      const starts = kind === STEP_SAMPLES ? null : walk.numbers(count);
      this.#builder.addSamples(timestampsMs, words, count, starts);
    } else {
      assert(kind === STEP_HISTOGRAMS, 'BUG: unknown step of raw samples');
      this.#builder.addHistograms(walk.histograms(walk.step()));
    }
  }

  #addChunk(walk: RawWalk, labels: Labels): void {
    const encoding = walk.step();
    const offset = walk.step();
    const length = walk.step();
    const hidden = walk.step();
    const source = walk.step();
    const bounds = walk.numbers(walk.step() * 2);
    const deleted: Interval[] = [];
    for (let i = 0; i < bounds.length; i += 2) {
      deleted.push({ minMs: bounds[i]!, maxMs: bounds[i + 1]! });
    }
    const { bytes, blocks } = walk.samples;
    const chunk = { encoding, bytes, offset, length, hidden };
    const block = source === 0 ? null : blocks[source - 1]!;
    const place = (): string =>
      block === null ? `head series ${labels}` : `${block.directory}/chunks, series ${labels}`;
    try {
      this.#builder.addChunk(chunk, deleted, place);
    } catch (error) {
      if (block === null || !isDamage(error)) throw error;
      if (this.#damaged.has(block.ulid)) return;
      this.#damaged.add(block.ulid);
      this.warnings.push(damageWarning(block.ulid, errorText(error)));
    }
  }
}

/** Reads the columns of a batch from left to right. */
class RawWalk {
  readonly samples: RawSamples;
  #step = 0;
  #number = 0;
  #histogram = 0;

  constructor(samples: RawSamples) {
    this.samples = samples;
  }

  step(): number {
    return this.samples.steps[this.#step++]!;
  }

  numbers(count: number): Float64Array {
    const start = this.#number;
    this.#number += count;
    return this.samples.numbers.subarray(start, this.#number);
  }

  histograms(count: number): RawSamples['histograms'] {
    const start = this.#histogram;
    this.#histogram += count;
    return this.samples.histograms.slice(start, this.#histogram);
  }
}
