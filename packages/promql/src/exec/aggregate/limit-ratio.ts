import { assert } from '@pollux/base';
import { QueryError } from '../../errors.ts';
import { labelsHash } from '../../functions/labels-hash.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { printGeneral } from '../../print-general.ts';
import { Batch, type SeriesInfo } from '../batch.ts';
import type { Operator } from '../operator.ts';
import type { AggregateSettings } from './settings.ts';

/** The hashes are 64 bits wide; as floats 2^64 − 1 and 2^64 are the same. */
const HASH_RANGE = 2 ** 64;

/** limit_ratio: the series whose label hash lies in the first `ratio` of all hashes (negative: the rest of them). */
export class RatioSelection implements Operator {
  readonly #node: AggregateNode;
  readonly #settings: AggregateSettings;
  #positions = new Float64Array(0);
  #batch: Batch | null = null;

  constructor(node: AggregateNode, settings: AggregateSettings) {
    this.#node = node;
    this.#settings = settings;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    await this.#settings.parameter?.series();
    const series = await this.#settings.child.series();
    this.#positions = Float64Array.from(
      series,
      ({ labels }) => Number(labelsHash(labels)) / HASH_RANGE,
    );
    return series;
  }

  async next(): Promise<Batch | null> {
    const input = await this.#settings.child.next();
    const ratios = await this.#settings.parameter!.next();
    if (input === null) return null;
    assert(ratios !== null, 'the parameter has the steps of its aggregation');
    const { stepCount, kinds } = input;
    this.#batch ??= new Batch(input.seriesCount, stepCount);
    const output = this.#batch;
    output.clear(stepCount);
    for (let i = 0; i < stepCount; i++) {
      const ratio = this.#checkedRatio(ratios.values[i]!);
      for (let s = 0; s < input.seriesCount; s++) {
        const cell = s * stepCount + i;
        if (kinds[cell] !== 0 && isSelected(this.#positions[s]!, ratio))
          output.copyCell(cell, input, cell);
      }
    }
    return output;
  }

  #checkedRatio(ratio: number): number {
    if (Number.isNaN(ratio)) throw QueryError.execution('Ratio value is NaN');
    if (ratio >= -1 && ratio <= 1) return ratio;
    const capped = ratio > 1 ? 1 : -1;
    this.#settings.context.annotations.warn(
      `ratio value should be between -1 and 1, got ${printGeneral(ratio)}, capping to ${capped}`,
      this.#node.parameterRange!,
    );
    return capped;
  }
}

/** A ratio r and r − 1 split the series into two halves without overlap. */
function isSelected(position: number, ratio: number): boolean {
  return ratio >= 0 ? position < ratio : position >= 1 + ratio;
}
