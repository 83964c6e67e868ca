import { unreachable } from '@pollux/base';
import type { AggregateNode } from '../../plan/nodes.ts';
import type { Batch, SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import type { StepGrid } from '../grid.ts';
import type { Operator } from '../operator.ts';
import { CountValues } from './count-values.ts';
import { RatioSelection } from './limit-ratio.ts';
import { QuantileAggregate } from './quantile-aggregate.ts';
import { Reduce } from './reduce.ts';
import { SelectK } from './select-k.ts';
import type { AggregateSettings } from './settings.ts';

/** An aggregation; which operator does it depends on what it keeps per group. */
export class Aggregate implements Operator {
  readonly #inner: Operator;

  constructor(node: AggregateNode, grid: StepGrid, context: ExecContext) {
    const child = context.build(node.child, grid);
    const parameter =
      node.parameter === null || node.parameter.kind === 'string'
        ? null
        : context.build(node.parameter, grid);
    this.#inner = innerOperator(node, { child, parameter, grid, context });
  }

  series(): Promise<readonly SeriesInfo[]> {
    return this.#inner.series();
  }

  next(): Promise<Batch | null> {
    return this.#inner.next();
  }
}

function innerOperator(node: AggregateNode, settings: AggregateSettings): Operator {
  switch (node.operator) {
    case 'sum':
    case 'avg':
    case 'count':
    case 'min':
    case 'max':
    case 'group':
    case 'stddev':
    case 'stdvar':
      return new Reduce(node, node.operator, settings);
    case 'quantile':
      return new QuantileAggregate(node, settings);
    case 'topk':
    case 'bottomk':
    case 'limitk':
      return new SelectK(node, node.operator, settings);
    case 'limit_ratio':
      return new RatioSelection(node, settings);
    case 'count_values':
      return new CountValues(node, settings);
    default:
      return unreachable(node.operator);
  }
}
