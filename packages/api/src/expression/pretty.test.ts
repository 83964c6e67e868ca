import { parseExpr, printExpr } from '@pollux/promql/parser';
import { describe, expect, it } from 'vitest';
import { prettyExpr } from './pretty.ts';

const LONG =
  'sum by (job, instance, zone) (rate(http_requests_total{code=~"5..",handler="/api/v1/query_range"}[5m])) / on (job) group_left () sum by (job) (rate(http_requests_total[5m])) > bool 0.5';

describe('a long query', () => {
  it('is broken at operators, aggregations and calls', () => {
    expect(prettyExpr(parseExpr(LONG))).toBe(
      `    sum by (job, instance, zone) (
      rate(http_requests_total{code=~"5..",handler="/api/v1/query_range"}[5m])
    )
  / on (job) group_left ()
    sum by (job) (rate(http_requests_total[5m]))
> bool
  0.5`,
    );
  });

  it('means the same after it is broken', () => {
    const queries = [
      LONG,
      `topk(5, ${LONG})`,
      `-(${LONG})`,
      `max_over_time((${LONG})[1h:5m] offset 10m)`,
      `label_replace(${LONG}, "a", "$1", "b", "(.*)")`,
    ];
    for (const query of queries) {
      const expr = parseExpr(query);
      const pretty = prettyExpr(expr);
      expect(pretty).toContain('\n');
      expect(printExpr(parseExpr(pretty))).toBe(printExpr(expr));
    }
  });
});
