import type { LabelProjection } from '@pollux/storage';
import type {
  AggregateOperator,
  BinaryOperator,
  Expr,
  VectorMatching,
  VectorSelector,
} from '../parser/ast.ts';
import type { PositionRange } from '../parser/parse-error.ts';

/** When a selector or subquery looks, relative to the step it is evaluated for. */
export type TimeShift = {
  readonly offsetMs: number;
  /** A fixed instead of the step's time; null when not pinned. */
  readonly atMs: number | null;
};

/** What an instant selector gives for a sample. */
export type SelectMode = 'value' | 'timestamp' | 'start-timestamp';

export type VectorSelectNode = {
  readonly kind: 'vector-select';
  readonly selector: VectorSelector;
  readonly shift: TimeShift;
  readonly mode: SelectMode;
  /** Only counts and sums of histograms are asked for, see the pass counts-only. */
  readonly countsOnly: boolean;
  /** The windows of neighbouring steps leave time between them, see the pass time-narrowing. */
  readonly isSparse: boolean;
  /** Which other selectors read the same, see the pass selector-merging. */
  readonly sharing: Sharing | null;
  /** The function or aggregation around, told to storage as a hint. */
  readonly hint: SelectHint;
  readonly range: PositionRange;
};

/** What storage may use to leave work out. */
export type SelectHint = {
  readonly func: string;
  readonly grouping: readonly string[];
  readonly by: boolean;
  /** Not null: the other labels of series are not looked at, see the pass label-projection. */
  readonly labels: LabelProjection | null;
};

export const NO_HINT: SelectHint = { func: '', grouping: [], by: false, labels: null };

/** The selectors of one `id` read the same samples where they are evaluated for the same steps; there are `uses` of them. */
export type Sharing = { readonly id: number; readonly uses: number };

export type MatrixSelectNode = {
  readonly kind: 'matrix-select';
  readonly selector: VectorSelector;
  readonly shift: TimeShift;
  readonly windowMs: number;
  /** As in {@link VectorSelectNode}. */
  readonly countsOnly: boolean;
  readonly isSparse: boolean;
  readonly sharing: Sharing | null;
  readonly hint: SelectHint;
  readonly range: PositionRange;
};

export type SubqueryNode = {
  readonly kind: 'subquery';
  readonly child: PlanNode;
  readonly shift: TimeShift;
  readonly windowMs: number;
  readonly stepMs: number;
  readonly range: PositionRange;
};

/** Gives windows of samples rather than one value a step. */
export type RangeNode = MatrixSelectNode | SubqueryNode;

export type NumberNode = {
  readonly kind: 'number';
  readonly value: number;
  /** Samples that Prometheus holds while it works the number out of others; 0 for one that is written. */
  readonly heldSamples: number;
};
export type StringNode = { readonly kind: 'string'; readonly value: string };

/** A function over windows; `args` are the arguments in order with the range argument taken out. */
export type RangeCallNode = {
  readonly kind: 'range-call';
  readonly func: string;
  readonly source: RangeNode;
  readonly args: readonly PlanNode[];
  readonly range: PositionRange;
  readonly argRanges: readonly PositionRange[];
};

export type CallNode = {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly PlanNode[];
  readonly range: PositionRange;
  readonly argRanges: readonly PositionRange[];
  /** The arguments as written, for functions that look at matchers (absent, info). */
  readonly argExprs: readonly Expr[];
};

export type AggregateNode = {
  readonly kind: 'aggregate';
  readonly operator: AggregateOperator;
  readonly child: PlanNode;
  readonly parameter: PlanNode | null;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly range: PositionRange;
  readonly childRange: PositionRange;
  readonly parameterRange: PositionRange | null;
};

export type BinaryNode = {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly leftType: 'scalar' | 'vector';
  readonly rightType: 'scalar' | 'vector';
  readonly bool: boolean;
  readonly matching: VectorMatching | null;
  readonly range: PositionRange;
};

export type NegateNode = {
  readonly kind: 'negate';
  readonly child: PlanNode;
  readonly isScalar: boolean;
};

/** Evaluated once, whatever the step: everything below is pinned by @ or constant. */
export type StepInvariantNode = { readonly kind: 'step-invariant'; readonly child: PlanNode };

/** A query after parsing, with all durations and @ times worked out. Ranges only appear where a function takes one. */
export type PlanNode =
  | NumberNode
  | StringNode
  | VectorSelectNode
  | RangeCallNode
  | CallNode
  | AggregateNode
  | BinaryNode
  | NegateNode
  | StepInvariantNode;

/** The whole query: a value per step, or (instant only) the samples of a range themselves. */
export type Plan =
  | {
      readonly kind: 'value';
      readonly root: PlanNode;
      readonly type: 'scalar' | 'vector' | 'string';
    }
  | { readonly kind: 'matrix'; readonly source: RangeNode };
