import { formatDuration } from '@pollux/model';
import { printExpr } from '../parser/printer.ts';
import type { SelectNode } from './map-selects.ts';
import type { Plan, PlanNode, RangeNode, TimeShift } from './nodes.ts';

/** A plan on one line, children in brackets, for logs: which selectors are read how, and what was hoisted. */
export function planText(plan: Plan): string {
  return plan.kind === 'matrix' ? sourceText(plan.source) : nodeText(plan.root);
}

function nodeText(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
      return String(node.value);
    case 'string':
      return JSON.stringify(node.value);
    case 'vector-select':
      return `select(${printExpr(node.selector)}${readText(node)})`;
    case 'range-call':
      return `${node.func}[${[sourceText(node.source), ...node.args.map(nodeText)].join(', ')}]`;
    case 'call':
      return `${node.func}[${node.args.map(nodeText).join(', ')}]`;
    case 'aggregate': {
      const parameter = node.parameter === null ? '' : `${nodeText(node.parameter)}, `;
      const grouping = `${node.without ? 'without' : 'by'}(${node.grouping.join(', ')})`;
      return `${node.operator} ${grouping}[${parameter}${nodeText(node.child)}]`;
    }
    case 'binary':
      return `binary ${node.operator}[${nodeText(node.left)}, ${nodeText(node.right)}]`;
    case 'negate':
      return `negate[${nodeText(node.child)}]`;
    case 'step-invariant':
      return `once[${nodeText(node.child)}]`;
  }
}

function sourceText(node: RangeNode): string {
  const window = formatDuration(node.windowMs);
  if (node.kind === 'matrix-select')
    return `windows of ${window}(${printExpr(node.selector)}${readText(node)})`;
  const step = formatDuration(node.stepMs);
  return `subquery(${window}:${step}${shiftText(node.shift)})[${nodeText(node.child)}]`;
}

/** What the passes found out about reading it. */
function readText({ isSparse, sharing, hint }: SelectNode): string {
  const parts: string[] = [];
  if (isSparse) parts.push('only what steps look at');
  if (hint.labels !== null) {
    const { names, isExclusion } = hint.labels;
    parts.push(`labels ${isExclusion ? 'but ' : ''}${names.join(' ')}`);
  }
  if (sharing !== null) parts.push(`read once as ${sharing.id}`);
  return parts.map((part) => `; ${part}`).join('');
}

function shiftText({ atMs, offsetMs }: TimeShift): string {
  const at = atMs === null ? '' : ` pinned to ${atMs}`;
  return offsetMs === 0 ? at : `${at} shifted by ${offsetMs} ms`;
}
