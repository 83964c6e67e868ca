import type { TagCondition } from '@pollux/storage';
import { type Expression, walk } from '../influxql/ast.ts';
import { evaluate, type PatternCache } from './values.ts';

/**
 * What every series that fulfils `condition` must fulfil in single tags, for the engine's index: the parts between its outer
 * ANDs that look at one name which is no field. Whoever passes must still be asked the whole condition.
 */
export function tagConditions(
  condition: Expression | null,
  isField: (name: string) => boolean,
  patterns: PatternCache,
): TagCondition[] {
  if (condition === null) return [];
  if (condition.kind === 'paren') return tagConditions(condition.inner, isField, patterns);
  if (condition.kind !== 'binary' || condition.operator === 'OR') return [];
  if (condition.operator === 'AND') {
    return [
      ...tagConditions(condition.left, isField, patterns),
      ...tagConditions(condition.right, isField, patterns),
    ];
  }
  const names = new Set<string>();
  let isOfTags = true;
  walk(condition, (node) => {
    if (node.kind === 'call' || node.kind === 'wildcard' || node.kind === 'distinct')
      isOfTags = false;
    if (node.kind !== 'reference') return;
    names.add(node.name);
    if (node.cast === 'field' || node.name === 'time' || node.name.startsWith('_'))
      isOfTags = false;
    if (node.cast !== 'tag' && isField(node.name)) isOfTags = false;
  });
  const [tag] = names;
  if (!isOfTags || names.size !== 1 || tag === undefined) return [];
  const { operator, left, right } = condition;
  const equals =
    operator === '=' && left.kind === 'reference' && right.kind === 'string' ? right.value : null;
  return [
    {
      tag,
      equals,
      matches: (value) =>
        evaluate(condition, (node) => (node.kind === 'reference' ? value : null), patterns) ===
        true,
    },
  ];
}
