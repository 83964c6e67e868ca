import { type Matcher, METRIC_NAME } from '@pollux/model';
import type { VectorMatching } from '../../parser/ast.ts';
import { mapChildren } from '../map-children.ts';
import type { BinaryNode, PlanNode, VectorSelectNode } from '../nodes.ts';
import { hasPinnedName } from '../pinned-name.ts';

/** Of these aggregations the series are some of those below. */
const SELECTIONS: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

/**
 * Hands conditions on labels that must be equal on both sides of an operator to a selector on the other side: `a{job="x"} / b`
 * reads only `b{job="x"}`. A side gets conditions only if its series that then are missing have no effect: no sample of the
 * answer, no remark (so bare selectors alone), and no error of series that meet nobody (so the "one" side only where its match
 * groups cannot have two). Fewer samples are read, and counted.
 */
export function propagateMatchers(node: PlanNode): PlanNode {
  const mapped = mapChildren(node, propagateMatchers);
  if (mapped.kind !== 'binary' || mapped.matching === null) return mapped;
  const { left, right, matching } = mapped;
  return {
    ...mapped,
    left: mayNarrow(mapped, 'left') ? narrowed(left, right, matching) : left,
    right: mayNarrow(mapped, 'right') ? narrowed(right, left, matching) : right,
  };
}

function mayNarrow(
  { operator, matching, left, right }: BinaryNode,
  side: 'left' | 'right',
): boolean {
  if (operator === 'or' || matching === null) return false;
  if (operator === 'and') return true;
  if (operator === 'unless') return side === 'right';
  const { cardinality, fillLeft, fillRight } = matching;
  // What meets nobody is in the answer.
  if (fillLeft !== null || fillRight !== null) return false;
  const manySide = cardinality === 'one-to-many' ? 'right' : 'left';
  return side === manySide || isUniquePerGroup(side === 'left' ? left : right, matching);
}

/** Two series of one match group are an error, even where they meet nobody. */
function isUniquePerGroup(node: PlanNode, { on, labels }: VectorMatching): boolean {
  return (
    !on && labels.length === 0 && node.kind === 'vector-select' && hasPinnedName(node.selector)
  );
}

function narrowed(node: PlanNode, other: PlanNode, matching: VectorMatching): PlanNode {
  if (node.kind !== 'vector-select' || node.mode !== 'value' || node.selector.smoothed) return node;
  const { matchers } = node.selector;
  const added = conditionsOf(other).filter(
    (condition) =>
      isMatched(condition.name, matching) && !matchers.some((known) => isEqual(known, condition)),
  );
  return added.length === 0 ? node : withMatchers(node, [...matchers, ...added]);
}

function withMatchers(node: VectorSelectNode, matchers: readonly Matcher[]): VectorSelectNode {
  return { ...node, selector: { ...node.selector, matchers } };
}

function isMatched(name: string, { on, labels }: VectorMatching): boolean {
  return name !== METRIC_NAME && labels.includes(name) === on;
}

function isEqual(a: Matcher, b: Matcher): boolean {
  return a.name === b.name && a.operator === b.operator && a.value === b.value;
}

/** What the labels of every series of a node meet. */
function conditionsOf(node: PlanNode): readonly Matcher[] {
  switch (node.kind) {
    case 'vector-select':
      return node.selector.matchers;
    case 'range-call':
      if (node.func === 'absent_over_time') return [];
      return node.source.kind === 'subquery'
        ? conditionsOf(node.source.child)
        : node.source.selector.matchers;
    case 'negate':
    case 'step-invariant':
      return conditionsOf(node.child);
    case 'aggregate': {
      const { grouping, without, operator } = node;
      if (SELECTIONS.has(operator)) return conditionsOf(node.child);
      // Its parameter is a label that the values replace.
      if (operator === 'count_values') return [];
      return conditionsOf(node.child).filter(({ name }) => grouping.includes(name) !== without);
    }
    case 'binary':
      return node.operator === 'and' || node.operator === 'unless' || node.rightType === 'scalar'
        ? conditionsOf(node.left)
        : [];
    default:
      return [];
  }
}
