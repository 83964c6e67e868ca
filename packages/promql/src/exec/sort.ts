import type { SeriesInfo } from './batch.ts';
import { Batch, FLOAT } from './batch.ts';
import type { Operator } from './operator.ts';

export type SeriesOrder = (series: readonly SeriesInfo[], batch: Batch) => Int32Array;

/** Orders the one step of an instant query; which series come first is only known with the values. */
export class Reorder implements Operator {
  readonly #child: Operator;
  readonly #orderOf: SeriesOrder;
  #batch: Batch | null = null;

  constructor(child: Operator, orderOf: SeriesOrder) {
    this.#child = child;
    this.#orderOf = orderOf;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    const input = await this.#child.next();
    if (input === null) return series;
    const order = this.#orderOf(series, input);
    const output = new Batch(order.length, 1);
    output.clear(1);
    for (const [to, from] of order.entries()) output.copyCell(to, input, from);
    this.#batch = output;
    return [...order].map((index) => series[index]!);
  }

  async next(): Promise<Batch | null> {
    const batch = this.#batch;
    this.#batch = null;
    return batch;
  }
}

/** Passes on the floats of a vector, and leaves histograms out. */
export class FloatsOnly implements Operator {
  readonly #child: Operator;
  #batch: Batch | null = null;

  constructor(child: Operator) {
    this.#child = child;
  }

  series(): Promise<readonly SeriesInfo[]> {
    return this.#child.series();
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null || input.histograms === null) return input;
    this.#batch ??= new Batch(input.seriesCount, input.stepCount);
    const output = this.#batch;
    output.clear(input.stepCount);
    for (let cell = 0; cell < input.seriesCount * input.stepCount; cell++)
      if (input.kinds[cell] === FLOAT) output.setFloat(cell, input.values[cell]!);
    return output;
  }
}

/** sort and sort_desc: by value, NaN last; histograms have no order and drop out. */
export function byValue(isDescending: boolean): SeriesOrder {
  return (series, batch) => {
    const indexes = presentFloats(series, batch);
    return Int32Array.from(
      indexes.sort((a, b) => compareValues(batch.values[a]!, batch.values[b]!, isDescending)),
    );
  };
}

/** Ascending or descending with NaN last either way. */
export function compareValues(a: number, b: number, isDescending: boolean): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return isDescending ? b - a || 0 : a - b || 0;
}

function presentFloats(series: readonly SeriesInfo[], batch: Batch): number[] {
  const indexes: number[] = [];
  for (let s = 0; s < series.length; s++) if (batch.kinds[s] === 1) indexes.push(s);
  return indexes;
}

/** sort_by_label: by the values of labels in natural order ("a2" before "a10"), then by all labels. */
export function byLabels(names: readonly string[], isDescending: boolean): SeriesOrder {
  return (series) => {
    const indexes = series.map((_, index) => index);
    const sign = isDescending ? -1 : 1;
    indexes.sort((a, b) => {
      for (const name of names) {
        const left = series[a]!.labels.get(name);
        const right = series[b]!.labels.get(name);
        if (left !== right) return sign * compareNatural(left, right);
      }
      return sign * series[a]!.labels.compare(series[b]!.labels);
    });
    return Int32Array.from(indexes);
  };
}

/** Runs of digits compare as numbers. */
export function compareNatural(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const x = left[i]!;
    const y = right[i]!;
    if (x === y) continue;
    const areNumbers = /^\d/.test(x) && /^\d/.test(y);
    if (areNumbers) {
      const difference = BigInt(x) - BigInt(y);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      return x.length - y.length;
    }
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
