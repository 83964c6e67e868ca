import type { FloatHistogram } from '@pollux/model';
import { QueryError } from '../errors.ts';
import { DATE_FUNCTIONS, ELEMENT_FUNCTIONS } from '../functions/elementwise.ts';
import { nativeVariance } from '../histogram/quantile.ts';
import type { CallNode, PlanNode } from '../plan/nodes.ts';
import { Absent, absentLabels } from './absent.ts';
import type { ExecContext } from './context.ts';
import { Elementwise } from './elementwise.ts';
import type { StepGrid } from './grid.ts';
import { HistogramAccess } from './histogram-access.ts';
import { HistogramFunction } from './histogram-function.ts';
import { InfoJoin } from './info-join.ts';
import { labelJoin, labelReplace } from './label-operators.ts';
import { MapSeries } from './map-series.ts';
import { mergeEqual } from './merge-equal.ts';
import { Nothing } from './nothing.ts';
import type { Operator } from './operator.ts';
import { withoutName } from './range-source.ts';
import { ScalarOfTime, ScalarOfTwo, ScalarOfVector } from './scalar-operators.ts';
import { byLabels, byValue, FloatsOnly, Reorder, type SeriesOrder } from './sort.ts';
import { TimestampOfStep } from './timestamp-of-step.ts';

/** Operators for functions that take no range. */
export function buildCall(node: CallNode, grid: StepGrid, context: ExecContext): Operator {
  const { func, args } = node;
  const operatorOf = (index: number): Operator => context.build(args[index]!, grid);
  const apply = ELEMENT_FUNCTIONS.get(func);
  if (apply !== undefined) {
    if (DATE_FUNCTIONS.has(func) && args.length === 0) {
      return new ScalarOfTime(grid, (timeMs) => apply(timeMs / 1000, 0, 0));
    }
    const params = args.slice(1).map((_, index) => operatorOf(index + 1));
    const child = operatorOf(0);
    return mergeEqual(new Elementwise({ func, apply, child, params, context }), context);
  }
  switch (func) {
    case 'time':
      return new ScalarOfTime(grid, (timeMs) => timeMs / 1000);
    case 'pi':
      return new ScalarOfTime(grid, () => Math.PI);
    case 'start':
      return new ScalarOfTime(grid, () => context.times.startMs / 1000);
    case 'end':
      return new ScalarOfTime(grid, () => context.times.endMs / 1000);
    case 'range':
      return new ScalarOfTime(grid, () => (context.times.endMs - context.times.startMs) / 1000);
    case 'step':
      return new ScalarOfTime(grid, () => context.times.stepMs / 1000);
    case 'min_of':
      return new ScalarOfTwo(operatorOf(0), operatorOf(1), Math.min);
    case 'max_of':
      return new ScalarOfTwo(operatorOf(0), operatorOf(1), Math.max);
    case 'vector':
      return operatorOf(0);
    case 'scalar':
      return new ScalarOfVector(operatorOf(0));
    case 'timestamp':
      return mergeEqual(new TimestampOfStep(operatorOf(0), grid, context), context);
    case 'start_timestamp':
      // Computed values have no start.
      return new Nothing(operatorOf(0));
    case 'absent':
      return new Absent(operatorOf(0), absentLabels(node.argExprs[0]!));
    case 'label_replace':
      return new MapSeries(
        operatorOf(0),
        labelReplace(
          {
            destination: text(args[1]),
            replacement: text(args[2]),
            source: text(args[3]),
            regex: text(args[4]),
          },
          context.replacements,
        ),
      );
    case 'label_join':
      return new MapSeries(
        operatorOf(0),
        labelJoin(text(args[1]), text(args[2]), args.slice(3).map(text)),
      );
    case 'sort':
    case 'sort_desc':
      return sorted(node, grid, byValue(func === 'sort_desc'), context);
    case 'sort_by_label':
    case 'sort_by_label_desc': {
      const names = args.slice(1).map(text);
      const order = byLabels(names, func === 'sort_by_label_desc');
      return sorted(node, grid, order, context);
    }
    case 'histogram_count':
      return access(operatorOf(0), (histogram) => histogram.count, context);
    case 'histogram_sum':
      return access(operatorOf(0), (histogram) => histogram.sum, context);
    case 'histogram_avg':
      return access(operatorOf(0), (histogram) => histogram.sum / histogram.count, context);
    case 'histogram_stdvar':
      return access(operatorOf(0), nativeVariance, context);
    case 'histogram_stddev':
      return access(operatorOf(0), (histogram) => Math.sqrt(nativeVariance(histogram)), context);
    case 'histogram_quantile':
    case 'histogram_quantiles':
    case 'histogram_fraction':
      // The label of quantiles may make series equal that still have their names.
      return new MapSeries(new HistogramFunction(node, grid, context), (info) => info);
    case 'info':
      return new InfoJoin(node, operatorOf(0), grid, context);
    default:
      throw QueryError.execution(`function ${func} is not supported yet`);
  }
}

function access(
  child: Operator,
  read: (histogram: FloatHistogram) => number,
  context: ExecContext,
): Operator {
  return mergeEqual(
    new HistogramAccess(child, read, (info) => withoutName(info, context)),
    context,
  );
}

/** Sorting says something for one step only; of more, in a range query or a subquery, no order is kept. */
function sorted(
  node: CallNode,
  grid: StepGrid,
  order: SeriesOrder,
  context: ExecContext,
): Operator {
  const child = context.build(node.args[0]!, grid);
  if (grid.count === 1 && context.isInstant) return new Reorder(child, order);
  const { startMs, endMs } = context.times;
  if (grid.count > 1 || (grid.isPinned !== true && startMs !== endMs)) {
    context.annotations.warn(
      'sort is ineffective for range queries since results are always ordered by labels',
      node.range,
    );
  }
  // Histograms have no value to sort by; labels they have.
  return node.func === 'sort' || node.func === 'sort_desc' ? new FloatsOnly(child) : child;
}

/** The value of a string argument. */
function text(node: PlanNode | undefined): string {
  if (node?.kind !== 'string') throw QueryError.execution('expected a string literal');
  return node.value;
}
