import type { StopSignal } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Engine, QueryResult } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import { RuleError } from './errors.ts';
import type { RuleGroupName, RuleQuery, RuleVector } from './rule-query.ts';

/** Evaluates rules on an engine in this thread. */
export class EngineRuleQuery implements RuleQuery {
  readonly #engine: Engine;
  readonly #queryable: Queryable;

  constructor(engine: Engine, queryable: Queryable) {
    this.#engine = engine;
    this.#queryable = queryable;
  }

  async instant(
    expression: string,
    atMs: number,
    signal: StopSignal,
    group?: RuleGroupName,
  ): Promise<RuleVector> {
    const { result, annotations } = await this.#engine.instant({
      query: expression,
      queryable: this.#queryable,
      timeMs: atMs,
      signal,
      ...(group === undefined
        ? {}
        : { origin: { kind: 'rule', file: group.file, group: group.name } }),
    });
    return { ...vectorOf(result), annotations };
  }
}

function vectorOf(result: QueryResult): Omit<RuleVector, 'annotations'> {
  switch (result.kind) {
    case 'vector':
      return result;
    case 'scalar':
      return { labels: [Labels.EMPTY], values: Float64Array.of(result.value), histograms: null };
    case 'matrix':
    case 'string':
      throw new RuleError('RULES.RESULT_TYPE', 'rule result is not a vector or scalar');
  }
}
