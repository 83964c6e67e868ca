import type { FloatHistogram } from '@pollux/model';
import { Batch, HISTOGRAM, type SeriesInfo } from './batch.ts';
import type { Operator } from './operator.ts';

/** A figure read off each native histogram; floats drop out. */
export class HistogramAccess implements Operator {
  readonly #child: Operator;
  readonly #read: (histogram: FloatHistogram) => number;
  readonly #map: (info: SeriesInfo) => SeriesInfo;
  #count = 0;
  #batch: Batch | null = null;

  constructor(
    child: Operator,
    read: (histogram: FloatHistogram) => number,
    map: (info: SeriesInfo) => SeriesInfo,
  ) {
    this.#child = child;
    this.#read = read;
    this.#map = map;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    this.#count = series.length;
    return series.map(this.#map);
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null) return null;
    this.#batch ??= new Batch(this.#count, input.stepCount);
    this.#batch.clear(input.stepCount);
    for (let cell = 0; cell < this.#count * input.stepCount; cell++) {
      if (input.kinds[cell] === HISTOGRAM)
        this.#batch.setFloat(cell, this.#read(input.histogramAt(cell)));
    }
    return this.#batch;
  }
}
