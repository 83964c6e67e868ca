import { assert } from '@pollux/base';
import type { ElementFunction } from '../functions/elementwise.ts';
import { Batch, FLOAT, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import type { Operator } from './operator.ts';
import { withoutName } from './range-source.ts';

/** Applies a float function to every value of a vector; histograms have no such function and drop out. */
export class Elementwise implements Operator {
  readonly #func: string;
  readonly #apply: ElementFunction;
  readonly #child: Operator;
  readonly #params: readonly Operator[];
  readonly #context: ExecContext;
  #count = 0;
  #batch: Batch | null = null;

  constructor(settings: {
    readonly func: string;
    readonly apply: ElementFunction;
    readonly child: Operator;
    readonly params: readonly Operator[];
    readonly context: ExecContext;
  }) {
    this.#func = settings.func;
    this.#apply = settings.apply;
    this.#child = settings.child;
    this.#params = settings.params;
    this.#context = settings.context;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    for (const param of this.#params) await param.series();
    const series = await this.#child.series();
    this.#count = series.length;
    return series.map((info) => withoutName(info, this.#context));
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    const params: Batch[] = [];
    for (const param of this.#params) {
      const batch = await param.next();
      if (batch !== null) params.push(batch);
    }
    if (input === null) return null;
    assert(params.length === this.#params.length, 'parameters have the steps of their function');
    this.#batch ??= new Batch(this.#count, input.stepCount);
    const output = this.#batch;
    output.clear(input.stepCount);
    this.#fill(input, output, params);
    return output;
  }

  #fill(input: Batch, output: Batch, params: readonly Batch[]): void {
    const apply = this.#apply;
    const { stepCount, kinds, values } = input;
    const isClamp = this.#func === 'clamp';
    for (let i = 0; i < stepCount; i++) {
      const first = params[0]?.values[i] ?? this.#defaultParam();
      const second = params[1]?.values[i] ?? 0;
      // A range that is upside down clamps everything away.
      if (isClamp && first > second) continue;
      for (let cell = i; cell < this.#count * stepCount; cell += stepCount) {
        if (kinds[cell] !== FLOAT) continue;
        output.values[cell] = apply(values[cell]!, first, second);
        output.kinds[cell] = FLOAT;
      }
    }
  }

  #defaultParam(): number {
    return this.#func === 'round' ? 1 : 0;
  }
}
