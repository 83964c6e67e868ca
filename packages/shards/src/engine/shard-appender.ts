import { assert, OperatingError } from '@pollux/base';
import {
  type Exemplar,
  type FloatHistogram,
  type Labels,
  type Metadata,
  wordsOf,
} from '@pollux/model';
import { APPEND_OUTCOME, type Appender, type SeriesRef, splitReplicaLabels } from '@pollux/storage';
import { ShardInputError } from '../errors.ts';
import type { PointColumns, SeriesKey } from '../point-columns.ts';
import { measurementOf, VALUE_FIELD } from './prometheus-mapping.ts';
import type { ShardEngineOptions } from './shard-engine-options.ts';

/** Collects one batch of Prometheus samples; refs are valid inside the batch only. */
export class ShardAppender implements Appender {
  readonly #options: ShardEngineOptions;
  readonly #series: SeriesKey[] = [];
  readonly #known = new Map<string, SeriesRef>();
  #rows = 0;
  #seriesOf = new Uint32Array(64);
  #timesMs = new Float64Array(64);
  #cells = new Float64Array(64);

  constructor(options: ShardEngineOptions) {
    this.#options = options;
  }

  series(labels: Labels): SeriesRef {
    if (labels.isEmpty) throw new ShardInputError('labels', 'a series needs at least one label');
    const key = labels.key();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const split = splitReplicaLabels(labels, this.#options.replicaLabels);
    const ref = this.#series.push({
      measurement: measurementOf(split.labels),
      tags: split.labels,
      replica: split.replica,
    });
    this.#known.set(key, ref);
    return ref;
  }

  appendFloats(
    refs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    _startTimestampsMs: Float64Array | null,
    count: number,
    outcomes: Uint8Array,
  ): number {
    this.#reserve(count);
    const source = wordsOf(values);
    const target = wordsOf(this.#cells);
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      if (ref === 0 || ref > this.#series.length) {
        outcomes[i] = APPEND_OUTCOME.unknownRef;
        continue;
      }
      outcomes[i] = APPEND_OUTCOME.ok;
      this.#seriesOf[this.#rows] = ref - 1;
      this.#timesMs[this.#rows] = timestampsMs[i]!;
      target[this.#rows * 2] = source[i * 2]!;
      target[this.#rows * 2 + 1] = source[i * 2 + 1]!;
      this.#rows++;
      taken++;
    }
    return taken;
  }

  appendHistogram(_ref: SeriesRef, _timestampMs: number, _histogram: FloatHistogram): number {
    throw new OperatingError(
      'SHARDS.NO_HISTOGRAMS',
      'this store does not keep native histograms yet; send classic histograms, or keep them on the servers',
    );
  }

  /** Not kept: InfluxDB's model has no place for them. */
  appendExemplar(_ref: SeriesRef, _exemplar: Exemplar): void {}

  /** Not kept: InfluxDB's model has no place for it. */
  setMetadata(_ref: SeriesRef, _metadata: Metadata): void {}

  async commit(): Promise<void> {
    const batch: PointColumns = {
      count: this.#rows,
      series: this.#series,
      fields: [{ name: VALUE_FIELD, kind: 'float' }],
      seriesOf: this.#seriesOf,
      fieldOf: new Uint32Array(this.#rows),
      timesMs: this.#timesMs,
      nanos: null,
      cells: this.#cells,
      texts: [],
      pointOf: null,
    };
    const outcome = await this.#options.store.write(this.#options.writeTarget(), batch);
    if (outcome.firstConflict === null) return;
    const { measurement, field, existing } = outcome.firstConflict;
    throw new ShardInputError(
      measurement,
      `${outcome.conflictPoints} samples refused: field "${field}" is of type ${existing} there; the rest is stored`,
    );
  }

  rollback(): void {
    this.#rows = 0;
  }

  #reserve(count: number): void {
    const needed = this.#rows + count;
    assert(needed < 2 ** 31, 'batch too large');
    if (needed <= this.#timesMs.length) return;
    const capacity = Math.max(needed, this.#timesMs.length * 2);
    this.#seriesOf = grownU32(this.#seriesOf, capacity);
    this.#timesMs = grownF64(this.#timesMs, capacity);
    this.#cells = grownF64(this.#cells, capacity);
  }
}

function grownU32(data: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity);
  grown.set(data);
  return grown;
}

function grownF64(data: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(data);
  return grown;
}
