import type { Expr } from './ast.ts';

/** The direct children, in the order they are written. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector-selector':
      return [];
    case 'matrix-selector':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'parentheses':
      return [expr.expr];
    case 'aggregate':
      return expr.parameter === null ? [expr.expr] : [expr.parameter, expr.expr];
    case 'binary':
      return [expr.left, expr.right];
    case 'call':
      return expr.args;
  }
}

/** Calls `visit` for every node, parents first, with the ancestors from the root down. Return false to leave out what is below the node. */
export function walk(
  expr: Expr,
  visit: (node: Expr, path: readonly Expr[]) => unknown,
  path: readonly Expr[] = [],
): void {
  if (visit(expr, path) === false) return;
  const below = [...path, expr];
  for (const child of childrenOf(expr)) walk(child, visit, below);
}
