import { type Labels, LabelsBuilder } from '@pollux/model';
import { isComparison, type VectorMatching } from '../../parser/ast.ts';
import type { BinaryNode } from '../../plan/nodes.ts';
import type { SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import { withoutSchema } from '../range-source.ts';
import { matchedLabels, matchKey } from './match-key.ts';

/**
 * Who meets whom in a vector operation, worked out once per query. The sides are called `many` and `one`; in a one-to-one
 * match the left is `many`.
 */
export type MatchTable = {
  readonly output: readonly SeriesInfo[];
  readonly groupCount: number;
  readonly manyGroup: Int32Array;
  readonly oneGroup: Int32Array;
  /** Position of a `one` series among those of its group. */
  readonly oneRank: Int32Array;
  /** Output series of (many, one): `pairOutput[pairBase[many] + oneRank[one]]`; rank `groupSize` is a filled-in one. */
  readonly pairBase: Int32Array;
  readonly pairOutput: Int32Array;
  /** Number of `one` series per group. */
  readonly groupSize: Int32Array;
  /** Output series per `one` series when the many side is filled in. */
  readonly fillOutput: Int32Array;
};

/** Builds the table; `many` and `one` are the series of the two sides. */
export function buildMatchTable(
  node: BinaryNode,
  matching: VectorMatching,
  sides: { readonly many: readonly SeriesInfo[]; readonly one: readonly SeriesInfo[] },
  context: ExecContext,
): MatchTable {
  const { many, one } = sides;
  const keyOf = matchKey(matching);
  const groups = new Map<string, number>();
  const groupOf = ({ labels }: SeriesInfo): number => {
    const key = keyOf(labels);
    const known = groups.get(key) ?? groups.size;
    groups.set(key, known);
    return known;
  };
  const oneGroup = Int32Array.from(one, groupOf);
  const manyGroup = Int32Array.from(many, groupOf);
  const groupSize = new Int32Array(groups.size);
  const oneRank = oneGroup.map((group) => groupSize[group]!++);
  const members: Labels[][] = Array.from({ length: groups.size }, () => []);
  for (const [index, { labels }] of one.entries()) members[oneGroup[index]!]!.push(labels);

  const outputs = new OutputSeries(node, matching, context);
  const pairBase = new Int32Array(many.length);
  const pairs: number[] = [];
  for (const [index, info] of many.entries()) {
    pairBase[index] = pairs.length;
    const partners = members[manyGroup[index]!]!;
    // Without labels to include, the output is the same for every partner.
    const plain = matching.include.length === 0 ? outputs.of(info.labels, null) : -1;
    for (const labels of partners) pairs.push(plain >= 0 ? plain : outputs.of(info.labels, labels));
    pairs.push(plain >= 0 ? plain : outputs.of(info.labels, null));
  }
  const isManyFilled = matching.fillLeft !== null;
  const fillOutput = Int32Array.from(one, ({ labels }) =>
    isManyFilled ? outputs.of(matchedLabels(matching, labels), labels) : -1,
  );
  return {
    output: outputs.series,
    groupCount: groups.size,
    manyGroup,
    oneGroup,
    oneRank,
    pairBase,
    pairOutput: Int32Array.from(pairs),
    groupSize,
    fillOutput,
  };
}

/** The distinct label sets of results. */
class OutputSeries {
  readonly series: SeriesInfo[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #node: BinaryNode;
  readonly #matching: VectorMatching;
  readonly #context: ExecContext;
  readonly #labels: ReadonlySet<string>;

  constructor(node: BinaryNode, matching: VectorMatching, context: ExecContext) {
    this.#node = node;
    this.#matching = matching;
    this.#context = context;
    this.#labels = new Set(matching.labels);
  }

  /** Index of the result of a `many` series with its partner (null: filled in). */
  of(many: Labels, one: Labels | null): number {
    const { operator, bool } = this.#node;
    const { cardinality, on, include } = this.#matching;
    const isTrim = operator === '</' || operator === '>/';
    const delayed = this.#context.options.delayedNameRemoval;
    let labels = many;
    if (!isComparison(operator) && !isTrim) labels = withoutSchema(labels, this.#context);
    if (bool && !delayed) labels = withoutSchema(labels, this.#context);
    if (cardinality === 'one-to-one')
      labels = on ? labels.keep(this.#labels) : labels.drop(this.#labels);
    if (include.length > 0) {
      const builder = new LabelsBuilder(labels);
      for (const name of include) builder.set(name, one?.get(name) ?? '');
      labels = builder.build();
    }
    const key = labels.key();
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    this.#byKey.set(key, this.series.length);
    this.series.push({ labels, dropName: bool && delayed });
    return this.series.length - 1;
  }
}
