import { unreachable } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';
import { ARITHMETIC, COMPARISONS, type FloatOperation } from '../../functions/binary-scalar.ts';
import {
  combineHistograms,
  compactHistogram,
  divideHistogram,
  equalHistograms,
  scaleHistogram,
} from '../../histogram/arithmetic.ts';
import { trimHistogram } from '../../histogram/trim.ts';
import type { BinaryNode } from '../../plan/nodes.ts';
import type { RemarkSink } from './step-remarks.ts';

/** Float code of a binary operator, chosen once per query. */
export type FloatCode =
  | { readonly kind: 'arithmetic'; readonly compute: FloatOperation }
  | { readonly kind: 'comparison'; readonly holds: (left: number, right: number) => boolean }
  | { readonly kind: 'trim' };

export function floatCodeOf(operator: BinaryNode['operator']): FloatCode {
  const compute = ARITHMETIC[operator];
  if (compute !== undefined) return { kind: 'arithmetic', compute };
  const holds = COMPARISONS[operator];
  if (holds !== undefined) return { kind: 'comparison', holds };
  return { kind: 'trim' };
}

/** A sample on either side: exactly one of the two is meant when `histogram` is not null. */
export type Operand = { readonly value: number; readonly histogram: FloatHistogram | null };

/** Result of an operator: keep says whether a filter lets it pass. */
export type ElementResult = {
  readonly value: number;
  readonly histogram: FloatHistogram | null;
  readonly keep: boolean;
};

const NOTHING: ElementResult = { value: 0, histogram: null, keep: false };

/**
 * The operator where at least one side is a histogram. What makes no sense drops out with an info. For comparisons the
 * result is the left sample and `keep` whether it holds.
 */
export function mixedResult(
  node: BinaryNode,
  left: Operand,
  right: Operand,
  remarks: RemarkSink,
): ElementResult {
  const { operator } = node;
  if (left.histogram !== null && right.histogram !== null)
    return twoHistograms(node, left.histogram, right.histogram, remarks);
  if (left.histogram !== null) {
    const factor = right.value;
    switch (operator) {
      case '*':
        return histogramResult(scaleHistogram(left.histogram, factor));
      case '/':
        return histogramResult(divideHistogram(left.histogram, factor));
      case '</':
      case '>/':
        return histogramResult(trimHistogram(left.histogram, factor, operator === '</'));
      default:
    }
    return incompatible(node, 'histogram', 'float', remarks);
  }
  if (operator === '*' && right.histogram !== null)
    return histogramResult(scaleHistogram(right.histogram, left.value));
  return incompatible(node, 'float', right.histogram === null ? 'float' : 'histogram', remarks);
}

function histogramResult(histogram: FloatHistogram): ElementResult {
  return { value: 0, histogram: compactHistogram(histogram), keep: true };
}

function twoHistograms(
  node: BinaryNode,
  left: FloatHistogram,
  right: FloatHistogram,
  remarks: RemarkSink,
): ElementResult {
  const { operator, range } = node;
  switch (operator) {
    case '+':
    case '-': {
      const combined = combineHistograms(left, right, operator);
      const what = operator === '+' ? 'addition' : 'subtraction';
      if (combined === null) {
        remarks.warn(
          `incompatible bucket layout encountered for binary operator ${operator}`,
          range,
        );
        return NOTHING;
      }
      if (combined.hasHintCollision) {
        // What is warned of has no result.
        remarks.warn(`conflicting counter resets during histogram ${what}`, range);
        return NOTHING;
      }
      if (combined.isReconciled) {
        remarks.info(`mismatched custom buckets were reconciled during ${what}`, range);
      }
      return histogramResult(combined.histogram);
    }
    case '==':
      return { value: 0, histogram: left, keep: equalHistograms(left, right) };
    case '!=':
      return { value: 0, histogram: left, keep: !equalHistograms(left, right) };
    default:
      return incompatible(node, 'histogram', 'histogram', remarks);
  }
}

export function incompatible(
  node: BinaryNode,
  left: 'float' | 'histogram',
  right: 'float' | 'histogram',
  remarks: RemarkSink,
): ElementResult {
  remarks.info(
    `incompatible sample types encountered for binary operator "${node.operator}": ${left} ${node.operator} ${right}`,
    node.range,
  );
  return NOTHING;
}

/** A pair of floats under a trim operator makes no sense; all else is computed. */
export function floatResult(
  node: BinaryNode,
  code: FloatCode,
  left: number,
  right: number,
  remarks: RemarkSink,
): ElementResult {
  switch (code.kind) {
    case 'arithmetic':
      return { value: code.compute(left, right), histogram: null, keep: true };
    case 'comparison':
      return { value: left, histogram: null, keep: code.holds(left, right) };
    case 'trim':
      return incompatible(node, 'float', 'float', remarks);
    default:
      return unreachable(code);
  }
}
