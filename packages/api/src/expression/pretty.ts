import { type Expr, printExpr } from '@pollux/promql/parser';

/** Expressions that print longer than this are broken into lines. */
const MAX_LINE = 100;

/** The expression over several indented lines where it is long, as Prometheus formats queries. */
export function prettyExpr(expr: Expr, level = 0): string {
  const indent = '  '.repeat(level);
  const flat = printExpr(expr);
  // Prometheus does not indent a short subquery.
  if (flat.length <= MAX_LINE) return expr.kind === 'subquery' ? flat : indent + flat;
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector-selector':
    case 'matrix-selector':
      return indent + flat;
    case 'aggregate': {
      const parameter = expr.parameter === null ? '' : printExpr(expr.parameter);
      const inner = `(${parameter === '' ? '' : `${parameter}, `}${printExpr(expr.expr)})`;
      const head = flat.slice(0, flat.length - inner.length);
      const first = expr.parameter === null ? '' : `${prettyExpr(expr.parameter, level + 1)},\n`;
      return `${indent}${head}(\n${first}${prettyExpr(expr.expr, level + 1)}\n${indent})`;
    }
    case 'binary': {
      const left = printExpr(expr.left).length;
      const right = printExpr(expr.right).length;
      const operator = flat.slice(left, flat.length - right).trim();
      return `${prettyExpr(expr.left, level + 1)}\n${indent}${operator}\n${prettyExpr(expr.right, level + 1)}`;
    }
    case 'call': {
      const args = expr.args.map((arg) => prettyExpr(arg, level + 1)).join(',\n');
      return `${indent}${expr.signature.name}(\n${args}\n${indent})`;
    }
    case 'subquery':
      return prettyExpr(expr.expr, level) + flat.slice(printExpr(expr.expr).length);
    case 'parentheses':
      return `${indent}(\n${prettyExpr(expr.expr, level + 1)}\n${indent})`;
    case 'unary':
      return indent + expr.operator + prettyExpr(expr.expr, level).trim();
  }
}
