import { unreachable } from '@pollux/base';
import { QueryError } from '../errors.ts';
import type { Plan, PlanNode, RangeCallNode } from '../plan/nodes.ts';
import type { StepGrid } from './grid.ts';
import { NodeTally } from './node-tally.ts';

/**
 * How many samples Prometheus would hold for a query at most: what it tells as `peakSamples` and what `--query.max-samples` limits.
 * It evaluates node after node, each for all steps, and holds the whole results of nodes until those around have theirs. This
 * engine holds less and in another order, so each node's results are counted ({@link NodeTally}), and from the counts it is
 * worked out at the end what that order of evaluation comes to. Until then a query is refused when the results of one node alone
 * pass the limit, or the bytes that it may hold.
 */
export class HeldSamples {
  readonly #limit: number;
  readonly #tallies = new Map<PlanNode, NodeTally>();
  #plan: Plan | null = null;
  #stepwise: ReadonlySet<PlanNode> = new Set();
  #bare = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Before operators are built. */
  begin(plan: Plan): void {
    this.#plan = plan;
    const stepwise = new Set<PlanNode>();
    if (plan.kind === 'value') markStepwise(plan.root, false, stepwise);
    else if (plan.source.kind === 'subquery') markStepwise(plan.source.child, false, stepwise);
    this.#stepwise = stepwise;
  }

  /** The tally of a node whose operator is built; a later operator takes the place of an earlier one. */
  open(node: PlanNode, grid: StepGrid): NodeTally {
    const tally = new NodeTally(grid, this.#stepwise.has(node));
    this.#tallies.set(node, tally);
    return tally;
  }

  /** Of a node whose operator is being built. */
  of(node: PlanNode): NodeTally | null {
    return this.#tallies.get(node) ?? null;
  }

  /** Samples of a bare range selector. Throws when the limit is passed. */
  takeBare(points: number): void {
    this.#bare += points;
    this.check(this.#bare);
  }

  /** Throws when so many samples at once are more than the limit. */
  check(points: number): void {
    if (points > this.#limit) throw QueryError.tooManySamples();
  }

  /** Samples that nodes have given so far, for who looks at a running query. */
  get total(): number {
    let total = this.#bare;
    for (const { points } of this.#tallies.values()) total += points;
    return total;
  }

  /** At the end of a query; of one that failed, of what it came to. */
  get peak(): number {
    const plan = this.#plan;
    if (plan === null) return 0;
    if (plan.kind === 'value') return this.#account(plan.root).peak;
    return plan.source.kind === 'subquery' ? this.#account(plan.source.child).peak : this.#bare;
  }

  #account(node: PlanNode): Account {
    switch (node.kind) {
      case 'string':
        return NOTHING;
      case 'number':
      case 'vector-select':
        return this.#source(node);
      case 'range-call':
        return this.#rangeCall(node);
      case 'call':
        if (node.func === 'label_replace' || node.func === 'label_join')
          return this.#account(node.args[0]!);
        // The matchers of info are no argument that is evaluated.
        return this.#stepByStep(node, node.func === 'info' ? node.args.slice(0, 1) : node.args);
      case 'aggregate': {
        if (node.operator === 'count_values') return this.#stepByStep(node, [node.child]);
        const { peak } = this.#inTurn(
          node.parameter === null ? [node.child] : [node.parameter, node.child],
        );
        const { points } = this.#tallyOf(node);
        return { peak: Math.max(peak, points), after: points };
      }
      case 'binary':
        return this.#stepByStep(node, [node.left, node.right]);
      case 'negate':
        return this.#account(node.child);
      case 'step-invariant': {
        const once = this.#account(node.child);
        const { grid } = this.#tallyOf(node);
        const { points } = this.#tallyOf(node.child);
        const after = once.after + points * Math.max(0, grid.count - 1);
        return { peak: Math.max(once.peak, after), after };
      }
      default:
        return unreachable(node);
    }
  }

  #source(node: PlanNode): Account {
    const { points, samplesAt } = this.#tallyOf(node);
    if (node.kind === 'number') return { peak: Math.max(points, node.heldSamples), after: points };
    if (node.kind !== 'vector-select' || node.mode === 'value')
      return { peak: points, after: points };
    // The times of samples are a function of them, step by step.
    return { peak: stepPeak(0, [samplesAt], samplesAt), after: points };
  }

  #rangeCall(node: RangeCallNode): Account {
    const { windows } = this.#tallyOf(node);
    const held = windows?.finish() ?? { peak: 0, given: 0 };
    let before = NOTHING;
    let inner = 0;
    if (node.source.kind === 'subquery') {
      before = this.#account(node.source.child);
      inner = this.#tallyOf(node.source.child).points;
    }
    const args = this.#inTurn(node.args, before);
    return {
      peak: Math.max(args.peak, args.after + held.peak),
      // What parameters and the leavings of a subquery come to stays counted.
      after: args.after + held.given - inner,
    };
  }

  /** A node that Prometheus evaluates step by step from the whole results of others. */
  #stepByStep(node: PlanNode, operands: readonly PlanNode[]): Account {
    const { after, peak } = this.#inTurn(operands);
    const { points, pointsAt } = this.#tallyOf(node);
    const taken = operands
      .filter((operand) => operand.kind !== 'string')
      .map((operand) => this.#tallyOf(operand).samplesAt);
    return { peak: Math.max(peak, stepPeak(after, taken, pointsAt), points), after: points };
  }

  /** Nodes evaluated one after the other, whose results are kept. */
  #inTurn(nodes: readonly PlanNode[], before: Account = NOTHING): Account {
    let { peak, after } = before;
    for (const node of nodes) {
      const account = this.#account(node);
      peak = Math.max(peak, after + account.peak);
      after += account.after;
    }
    return { peak, after };
  }

  #tallyOf(node: PlanNode): NodeTally {
    return this.#tallies.get(node) ?? EMPTY;
  }
}

/** Relative to what was held before a node: the most that was held while it was evaluated, and what is counted once it is. */
type Account = { readonly peak: number; readonly after: number };

const NOTHING: Account = { peak: 0, after: 0 };
const EMPTY = new NodeTally({ startMs: 0, stepMs: 1, count: 0 }, true);

/** At each step: what is held anyway, results so far, what the step takes and what it gives. */
function stepPeak(
  held: number,
  taken: readonly (Float64Array | null)[],
  given: Float64Array | null,
): number {
  let results = 0;
  let peak = held;
  for (let i = 0; i < (given?.length ?? 0); i++) {
    let now = 0;
    for (const operand of taken) now += operand?.[i] ?? 0;
    results += given![i]!;
    if (held + results + now > peak) peak = held + results + now;
  }
  return peak;
}

/** Which nodes are counted step by step: those that are evaluated so, and what they take. */
function markStepwise(node: PlanNode, isOperand: boolean, marked: Set<PlanNode>): void {
  if (isOperand) marked.add(node);
  switch (node.kind) {
    case 'number':
    case 'string':
      return;
    case 'vector-select':
      if (node.mode !== 'value') marked.add(node);
      return;
    case 'range-call':
      if (node.source.kind === 'subquery') markStepwise(node.source.child, false, marked);
      for (const arg of node.args) markStepwise(arg, false, marked);
      return;
    case 'call':
      marked.add(node);
      for (const arg of node.args) markStepwise(arg, true, marked);
      return;
    case 'aggregate':
      if (node.operator === 'count_values') marked.add(node);
      markStepwise(node.child, node.operator === 'count_values', marked);
      if (node.parameter !== null) markStepwise(node.parameter, false, marked);
      return;
    case 'binary':
      marked.add(node);
      markStepwise(node.left, true, marked);
      markStepwise(node.right, true, marked);
      return;
    case 'negate':
    case 'step-invariant':
      markStepwise(node.child, false, marked);
      return;
    default:
      unreachable(node);
  }
}
