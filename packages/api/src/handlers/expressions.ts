import type { Matcher } from '@pollux/model';
import { formatFloat } from '@pollux/model';
import { ParseError, type ParserOptions, parseExpr, walk } from '@pollux/promql/parser';
import type { ExemplarQueryable } from '@pollux/storage';
import { type ApiHandler, type ReadLimits, readContext } from '../call.ts';
import { encodeExpr } from '../expression/encode-expr.ts';
import { prettyExpr } from '../expression/pretty.ts';
import { badData, invalidParameter } from '../wire/errors.ts';
import { ALL_TIME, timeParameter } from '../wire/parameters.ts';

/** /api/v1/format_query */
export function formatQuery(parser: ParserOptions): ApiHandler {
  return ({ form }) => ({ kind: 'data', data: prettyExpr(expression(form, parser)) });
}

/** /api/v1/parse_query: the syntax tree. */
export function parseQuery(parser: ParserOptions): ApiHandler {
  return ({ form }) => ({ kind: 'data', data: encodeExpr(expression(form, parser)) });
}

/** /api/v1/query_exemplars */
export function queryExemplars(
  exemplars: ExemplarQueryable | null,
  parser: ParserOptions,
  limits: ReadLimits,
): ApiHandler {
  return async (call) => {
    const { form } = call;
    const minMs = timeParameter(form, 'start', ALL_TIME.minMs);
    const maxMs = timeParameter(form, 'end', ALL_TIME.maxMs);
    if (maxMs < minMs) throw badData('end timestamp must not be before start timestamp');
    const sets: (readonly Matcher[])[] = [];
    walk(parsed(form.get('query') ?? '', parser, badData), (node) => {
      if (node.kind === 'vector-selector') sets.push(node.matchers);
    });
    if (sets.length === 0 || exemplars === null) return { kind: 'data', data: [] };
    const found = await exemplars.selectExemplars(
      { minMs, maxMs },
      sets,
      readContext(call, limits),
    );
    return {
      kind: 'data',
      data: found.map((series) => ({
        seriesLabels: series.labels,
        exemplars: series.exemplars.map((exemplar) => ({
          labels: exemplar.labels,
          value: formatFloat(exemplar.value),
          timestamp: (exemplar.timestampMs ?? 0) / 1000,
        })),
      })),
    };
  };
}

function expression(form: URLSearchParams, parser: ParserOptions): ReturnType<typeof parseExpr> {
  return parsed(form.get('query') ?? '', parser, (reason) => invalidParameter('query', reason));
}

function parsed(
  query: string,
  parser: ParserOptions,
  refuse: (reason: string) => Error,
): ReturnType<typeof parseExpr> {
  try {
    return parseExpr(query, parser);
  } catch (error) {
    throw error instanceof ParseError ? refuse(error.message) : error;
  }
}
