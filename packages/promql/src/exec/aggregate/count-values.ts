import { quoteText } from '@pollux/model';
import { QueryError } from '../../errors.ts';
import { histogramText } from '../../histogram/text.ts';
import { printNumber } from '../../parser/printer.ts';
import { isValidUtf8, quoteWithBytes } from '../../parser/string-literal.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import { BATCH_STEPS, BatchCursor } from '../grid.ts';
import type { Operator } from '../operator.ts';
import { groupSeries } from './grouping.ts';
import type { AggregateSettings } from './settings.ts';

/** Measured on Node 20: its map and key, with some for its labels; and a step in a map. */
const BYTES_PER_SERIES = 500;
const BYTES_PER_COUNT = 36;

/** count_values: one series per distinct value, so all values are looked at before the first series is known. */
export class CountValues implements Operator {
  readonly #node: AggregateNode;
  readonly #settings: AggregateSettings;
  readonly #steps: BatchCursor;
  /** Per series of the output: how often its value was there at a step. */
  readonly #counts: Map<number, number>[] = [];

  constructor(node: AggregateNode, settings: AggregateSettings) {
    this.#node = node;
    this.#settings = settings;
    this.#steps = new BatchCursor(settings.grid);
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const { child, context } = this.#settings;
    const label = this.#node.parameter?.kind === 'string' ? this.#node.parameter.value : '';
    if (label === '' || !isValidUtf8(label))
      throw QueryError.execution(`invalid label name ${quoteWithBytes(label, quoteText)}`);
    const series = await child.series();
    // The new label replaces one of its name, so it takes no part in grouping; `without` it, it goes again.
    const isLabelLost = this.#node.without && this.#node.grouping.includes(label);
    const { groups, groupOf } = groupSeries(
      this.#node.without
        ? { grouping: [...this.#node.grouping, label], without: true }
        : { grouping: this.#node.grouping, without: false },
      series,
      context,
    );
    const known = new Map<string, number>();
    const output: SeriesInfo[] = [];
    let counted = 0;
    for (let first = 0; ; ) {
      await context.checkpoint();
      const input = await child.next();
      if (input === null) break;
      let taken = 0;
      const knownBefore = output.length;
      for (let s = 0, cell = 0; s < groupOf.length; s++) {
        for (let i = 0; i < input.stepCount; i++, cell++) {
          const text = valueText(input, cell);
          if (text === null) continue;
          const group = groups[groupOf[s]!]!.labels;
          const labels = isLabelLost ? group : group.with(label, text);
          const key = labels.key();
          let index = known.get(key);
          if (index === undefined) {
            index = output.length;
            known.set(key, index);
            output.push({ labels, dropName: false });
            this.#counts.push(new Map());
          }
          const counts = this.#counts[index]!;
          const count = counts.get(first + i) ?? 0;
          if (count === 0) taken++;
          counts.set(first + i, count + 1);
        }
      }
      counted += taken;
      context.held.check(counted);
      context.holdMemory(
        (output.length - knownBefore) * BYTES_PER_SERIES + taken * BYTES_PER_COUNT,
      );
      first += input.stepCount;
    }
    return output;
  }

  async next(): Promise<Batch | null> {
    const steps = this.#steps;
    if (!steps.advance()) return null;
    const batch = new Batch(this.#counts.length, Math.min(BATCH_STEPS, steps.count));
    for (const [s, counts] of this.#counts.entries()) {
      for (let i = 0; i < steps.count; i++) {
        const count = counts.get(steps.first + i);
        if (count !== undefined) batch.setFloat(s * steps.count + i, count);
      }
    }
    return batch;
  }
}

function valueText(input: Batch, cell: number): string | null {
  if (input.kinds[cell] === FLOAT) return printNumber(input.values[cell]!);
  if (input.kinds[cell] === HISTOGRAM) return histogramText(input.histogramAt(cell));
  return null;
}
