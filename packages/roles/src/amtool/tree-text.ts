export type TreeNode = { readonly text: string; readonly children: readonly TreeNode[] };

/** No-break spaces keep the bar's column in terminals that trim, as the original's. */
const BAR = '│\u00a0\u00a0 ';
const GAP = '    ';

/** A tree under a dot, drawn with box lines. */
export function treeText(roots: readonly TreeNode[]): string {
  return `.\n${branches(roots, '')}`;
}

function branches(nodes: readonly TreeNode[], indent: string): string {
  return nodes
    .map(({ text, children }, index) => {
      const isLast = index === nodes.length - 1;
      const line = `${indent}${isLast ? '└──' : '├──'} ${text}\n`;
      return line + branches(children, indent + (isLast ? GAP : BAR));
    })
    .join('');
}
