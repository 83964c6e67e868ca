import { QueryError } from '../errors.ts';
import { Batch, type SeriesInfo } from './batch.ts';
import type { Operator } from './operator.ts';

/**
 * Renames the series of a child. Series that come to have equal labels become one, as long as no two of them have a value
 * at the same step; else the query fails as it does in Prometheus.
 */
export class MapSeries implements Operator {
  readonly #child: Operator;
  readonly #map: (info: SeriesInfo) => SeriesInfo;
  readonly #keyOf: (info: SeriesInfo) => string;
  #target = new Int32Array(0);
  #count = 0;
  #isIdentity = true;
  #batch: Batch | null = null;

  constructor(child: Operator, map: (info: SeriesInfo) => SeriesInfo) {
    this.#child = child;
    this.#map = map;
    this.#keyOf = (info) => info.labels.key();
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = (await this.#child.series()).map(this.#map);
    const byKey = new Map<string, number>();
    const merged: SeriesInfo[] = [];
    this.#target = new Int32Array(series.length);
    for (const [s, info] of series.entries()) {
      const key = this.#keyOf(info);
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, merged.length);
      this.#target[s] = known ?? merged.length;
      if (known === undefined) merged.push(info);
    }
    this.#isIdentity = merged.length === series.length;
    this.#count = merged.length;
    return merged;
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null || this.#isIdentity) return input;
    const { stepCount } = input;
    this.#batch ??= new Batch(this.#count, stepCount);
    const output = this.#batch;
    output.clear(stepCount);
    for (let s = 0; s < this.#target.length; s++) {
      const base = this.#target[s]! * stepCount;
      for (let i = 0; i < stepCount; i++) {
        if (input.kinds[s * stepCount + i] === 0) continue;
        if (output.kinds[base + i] !== 0) throw sameLabels();
        output.copyCell(base + i, input, s * stepCount + i);
      }
    }
    return output;
  }
}

export function sameLabels(): QueryError {
  return QueryError.execution('vector cannot contain metrics with the same labelset');
}
