import { type Expr, type ParserOptions, parseExpr, printExpr } from '@pollux/promql/parser';

/** A rule's expression: parsed once, and as Prometheus prints it, which is what the API and links show. */
export type RuleExpression = { readonly text: string; readonly expr: Expr };

/** Throws ParseError (an InputError) with Prometheus' own text. */
export function compileExpression(text: string, options: ParserOptions = {}): RuleExpression {
  const expr = parseExpr(text, options);
  return { text: printExpr(expr), expr };
}
