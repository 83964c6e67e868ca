import { type Expression, walk } from '../../influxql/ast.ts';
import { printExpression } from '../../influxql/print.ts';
import { type Call, topCalls } from '../call-rows.ts';
import type { CallScope } from '../calls.ts';
import type { OutputField } from '../fields.ts';
import { mathArity } from '../math.ts';
import type { Schema } from '../table.ts';
import { TRANSFORMS, windowsBefore } from '../transforms.ts';
import { KERNELS } from './kernels.ts';

/** A kernel over a field; several streams may share one. */
export type Reduction = {
  readonly kernel: string;
  readonly field: string;
  /** Samples before it are not looked at. */
  readonly min: bigint | null;
};

/** A call of the statement: what a kernel finds, as it is or as the input of a function over sequences. */
export type Stream = {
  readonly call: Call;
  /** Index in the plan's reductions. */
  readonly reduction: number;
  readonly isTransformed: boolean;
};

export type ColumnPlan = {
  readonly reductions: readonly Reduction[];
  readonly streams: readonly Stream[];
  /** Number of the stream by the node of the call in the outputs. */
  readonly streamOf: ReadonlyMap<Expression, number>;
  readonly scope: CallScope;
};

/**
 * How the calls of a statement are evaluated over columns; null where that is left to the general way: other functions, other types than
 * floats and integers, casts, conditions on fields, names that are a tag of some series, windows that begin with the first sample.
 */
export function planColumns(
  outputs: readonly OutputField[],
  condition: Expression | null,
  schemas: readonly Schema[],
  scope: CallScope,
): ColumnPlan | null {
  if (condition !== null && !isOfTags(condition, schemas)) return null;
  // Without a lower bound the first sample says where windows begin.
  if (scope.windows !== null && scope.min === null) return null;
  // Where the zone's clock is changed, windows without samples in between are found from one sample to the next.
  if (scope.windows?.timeZone != null && scope.fill.kind === 'none') return null;
  const reductions: Reduction[] = [];
  const streams: Stream[] = [];
  const numbers = new Map<string, number>();
  const streamOf = new Map<Expression, number>();
  for (const { expression } of outputs) {
    if (hasFreeReference(expression)) return null;
    for (const call of topCalls(expression)) {
      const key = printExpression(call);
      let number = numbers.get(key);
      if (number === undefined) {
        const found = reductionOf(call, schemas, scope);
        if (found === null) return null;
        const isTransformed = TRANSFORMS[call.name] !== undefined;
        number = streams.push({ call, reduction: shared(reductions, found), isTransformed }) - 1;
        numbers.set(key, number);
      }
      streamOf.set(call, number);
    }
  }
  return streams.length === 0 ? null : { reductions, streams, streamOf, scope };
}

function shared(reductions: Reduction[], wanted: Reduction): number {
  const index = reductions.findIndex(
    ({ kernel, field, min }) =>
      kernel === wanted.kernel && field === wanted.field && min === wanted.min,
  );
  return index >= 0 ? index : reductions.push(wanted) - 1;
}

function reductionOf(
  call: Call,
  schemas: readonly Schema[],
  { windows, min, keepTimes }: Pick<CallScope, 'windows' | 'min' | 'keepTimes'>,
): Reduction | null {
  const [arg, ...rest] = call.args;
  if (TRANSFORMS[call.name] !== undefined) {
    if (arg?.kind !== 'call' || TRANSFORMS[arg.name] !== undefined || windows === null) return null;
    // Windows before the first lead to the value of the first.
    const from = min === null ? null : min - windows.interval * windowsBefore(call.name, rest);
    return reductionOf(arg, schemas, { windows, min: from, keepTimes: false });
  }
  const kernel = Object.hasOwn(KERNELS, call.name) ? KERNELS[call.name]! : null;
  if (kernel === null || call.args.length !== 1 || arg?.kind !== 'reference') return null;
  if (keepTimes && !kernel.float.hasTimes) return null;
  if (arg.cast !== null && arg.cast !== 'field') return null;
  let isKnown = false;
  for (const { fields, tags } of schemas) {
    if (tags.has(arg.name)) return null;
    const kind = fields.get(arg.name);
    if (kind !== undefined && kind !== 'float' && kind !== 'integer') return null;
    isKnown ||= kind !== undefined;
  }
  return isKnown ? { kernel: call.name, field: arg.name, min } : null;
}

/** Whether the tags of a series decide, whatever its fields are. */
function isOfTags(condition: Expression, schemas: readonly Schema[]): boolean {
  let isOne = true;
  walk(condition, (node) => {
    if (node.kind === 'call' || node.kind === 'distinct') isOne = false;
    if (node.kind !== 'reference' || node.cast === 'tag') return;
    if (node.cast !== null || schemas.some(({ fields }) => fields.has(node.name))) isOne = false;
  });
  return isOne;
}

/** A field or tag that stands outside of calls. */
function hasFreeReference(expression: Expression): boolean {
  switch (expression.kind) {
    case 'reference':
    case 'distinct':
      return true;
    case 'paren':
      return hasFreeReference(expression.inner);
    case 'binary':
      return hasFreeReference(expression.left) || hasFreeReference(expression.right);
    case 'call':
      return mathArity(expression.name) > 0 && expression.args.some(hasFreeReference);
    default:
      return false;
  }
}
