import { OperatingError } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Engine } from '@pollux/promql';
import type { RuleQuery } from '@pollux/rules';
import type { Queryable } from '@pollux/storage';

/** Gives the rules room the engine in the form that it declares: one instant, answered as columns. */
export function bindRuleQuery(engine: Engine, queryable: Queryable): RuleQuery {
  return {
    instant: async (expression, atMs, signal) => {
      const { result, annotations } = await engine.instant({
        query: expression,
        timeMs: atMs,
        queryable,
        signal,
      });
      switch (result.kind) {
        case 'vector':
          return {
            labels: result.labels,
            values: result.values,
            histograms: result.histograms,
            annotations,
          };
        case 'scalar':
          return {
            labels: [Labels.EMPTY],
            values: Float64Array.of(result.value),
            histograms: null,
            annotations,
          };
        default:
          throw new OperatingError('ROLES.RULE_RESULT', 'rule result is not a vector or scalar');
      }
    },
  };
}
