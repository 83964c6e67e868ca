import { type Labels, METRIC_NAME, quoteText } from '@pollux/model';
import type { Annotations } from '../annotations.ts';
import type { ExecContext } from '../exec/context.ts';
import type { PositionRange } from '../parser/parse-error.ts';
import type { RangeCallNode } from '../plan/nodes.ts';
import { printGeneral } from '../print-general.ts';

/** Warns of a quantile outside [0, 1]. */
export function checkQuantile(
  quantile: number,
  range: PositionRange,
  annotations: Annotations,
): void {
  if (quantile >= 0 && quantile <= 1) return;
  annotations.warn(
    `quantile value should be between 0 and 1, got ${printGeneral(quantile)}`,
    range,
  );
}

const COUNTER_SUFFIX = /_(?:total|sum|count|bucket)$/;

/** Hints that rate or increase may have been taken of something that is no counter. */
export function annotateRangeCall(call: RangeCallNode, labels: Labels, context: ExecContext): void {
  if (call.func !== 'rate' && call.func !== 'increase') return;
  const name = labels.get(METRIC_NAME);
  if (name === '') return;
  const range = call.argRanges[0]!;
  if (context.options.typeAndUnitLabels) {
    const type = labels.get('__type__');
    if (type === 'counter' || type === 'histogram') return;
    context.annotations.info(
      `metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${quoteText(type)}: ${quoteText(name)}`,
      range,
    );
    return;
  }
  if (COUNTER_SUFFIX.test(name)) return;
  context.annotations.info(
    `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quoteText(name)}`,
    range,
  );
}
