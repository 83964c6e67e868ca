import { escapeUrlQuery } from '@pollux/gotemplate';

/** The path on the server's UI that draws the expression. */
export function graphLink(expression: string): string {
  return `/graph?g0.expr=${escapeUrlQuery(expression)}&g0.tab=0`;
}

/** The path on the server's UI that lists the expression's result. */
export function tableLink(expression: string): string {
  return `/graph?g0.expr=${escapeUrlQuery(expression)}&g0.tab=1`;
}
