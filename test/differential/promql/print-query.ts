import { type Expr, printExpr } from '@pollux/promql/parser';
import { DOTTED_NAME } from './data-younger.ts';

/** The text of a tree; a name that needs quotes stands in them alone, as people write it. */
export function printQuery(expr: Expr): string {
  return printExpr(expr).replaceAll(`__name__="${DOTTED_NAME}"`, `"${DOTTED_NAME}"`);
}
