import { compareText } from '@pollux/model';
import type { FieldKind } from '@pollux/storage';
import { type Expression, type Field, type SelectStatement, walk } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import { printExpression } from '../influxql/print.ts';
import { FUNCTIONS } from './functions.ts';
import type { Schema } from './table.ts';
import type { PatternCache } from './values.ts';

export type OutputField = { readonly expression: Expression; readonly name: string };

type Candidate = { readonly name: string; readonly kind: FieldKind | 'tag' };

/** Replaces wildcards and regular expressions in fields by what the sources have. */
export function expandFields(
  statement: SelectStatement,
  schema: Schema,
  dimensions: readonly string[],
  patterns: PatternCache,
): Field[] {
  const expanded: Field[] = [];
  for (const field of statement.fields) {
    const { expression } = field;
    if (expression.kind === 'wildcard' || expression.kind === 'regex') {
      for (const { name, kind } of candidates(expression, schema, dimensions, patterns)) {
        const cast = kind === 'tag' && schema.fields.has(name) ? 'tag' : null;
        expanded.push({ expression: { kind: 'reference', name, cast }, alias: '' });
      }
    } else if (expression.kind === 'call')
      expanded.push(...expandCall(field, expression, schema, patterns));
    else {
      walk(expression, (node) => {
        if (node.kind === 'wildcard' || node.kind === 'regex') {
          throw new QueryError(
            `unsupported expression with wildcard: ${printExpression(expression)}`,
          );
        }
      });
      expanded.push(field);
    }
  }
  return expanded;
}

function candidates(
  pattern: Expression & { readonly kind: 'wildcard' | 'regex' },
  schema: Schema,
  dimensions: readonly string[],
  patterns: PatternCache,
): Candidate[] {
  const all: Candidate[] = [];
  const cast = pattern.kind === 'wildcard' ? pattern.cast : null;
  if (cast !== 'tag') for (const [name, kind] of schema.fields) all.push({ name, kind });
  if (cast !== 'field') {
    for (const name of schema.tags) if (!dimensions.includes(name)) all.push({ name, kind: 'tag' });
  }
  const matching =
    pattern.kind === 'regex'
      ? all.filter(({ name }) => patterns.matches(pattern.source, name))
      : all;
  return matching.sort((a, b) => compareText(a.name, b.name));
}

/** `mean(*)` and `mean(/re/)`: a call per field that the function takes. */
function expandCall(
  field: Field,
  call: Expression & { readonly kind: 'call' },
  schema: Schema,
  patterns: PatternCache,
): Field[] {
  const inner = innermost(call);
  const [pattern] = inner.args;
  if (pattern?.kind !== 'wildcard' && pattern?.kind !== 'regex') return [field];
  if (pattern.kind === 'wildcard' && pattern.cast === 'tag') {
    throw new QueryError(`unable to use tag as wildcard in ${inner.name}()`);
  }
  const accepted = acceptedKinds(inner.name);
  const base = field.alias === '' ? call.name : field.alias;
  return candidates(pattern, { fields: schema.fields, tags: new Set() }, [], patterns)
    .filter(({ kind }) => kind !== 'tag' && accepted.includes(kind))
    .map(({ name }) => ({
      expression: replaceInnermost(call, { kind: 'reference', name, cast: null }),
      alias: `${base}_${name}`,
    }));
}

function innermost(
  call: Expression & { readonly kind: 'call' },
): Expression & { readonly kind: 'call' } {
  const [first] = call.args;
  return first?.kind === 'call' ? innermost(first) : call;
}

function replaceInnermost(
  call: Expression & { readonly kind: 'call' },
  reference: Expression,
): Expression {
  const [first, ...rest] = call.args;
  const replaced = first?.kind === 'call' ? replaceInnermost(first, reference) : reference;
  return { ...call, args: [replaced, ...rest] };
}

function acceptedKinds(name: string): readonly FieldKind[] {
  const numbers: readonly FieldKind[] = ['float', 'integer', 'unsigned'];
  const types = FUNCTIONS[name]?.types;
  if (name === 'elapsed' || types === 'any') return [...numbers, 'string', 'boolean'];
  return types === 'ordered' ? [...numbers, 'boolean'] : numbers;
}

/** The name a field has when it is given none. */
export function fieldName(expression: Expression): string {
  switch (expression.kind) {
    case 'reference':
      return expression.name;
    case 'call':
      return expression.name;
    case 'paren':
      return fieldName(expression.inner);
    case 'distinct':
      return 'distinct';
    case 'binary': {
      const names: string[] = [];
      collectNames(expression, names);
      return names.join('_');
    }
    default:
      return '';
  }
}

function collectNames(expression: Expression, names: string[]): void {
  if (expression.kind === 'reference' || expression.kind === 'call') names.push(expression.name);
  else if (expression.kind === 'paren') collectNames(expression.inner, names);
  else if (expression.kind === 'binary') {
    collectNames(expression.left, names);
    collectNames(expression.right, names);
  }
}

/** Names of the columns; equal ones get `_1`, `_2` …, and aliases go first. */
export function nameFields(fields: readonly Field[]): OutputField[] {
  const names: string[] = fields.map((field) => field.alias);
  const used = new Map<string, number>();
  for (const name of names) if (name !== '') used.set(name, 1);
  for (const [index, field] of fields.entries()) {
    if (names[index] !== '') continue;
    const base = fieldName(field.expression);
    let name = base;
    let count = used.get(base);
    if (count !== undefined) {
      while (used.has(`${base}_${count}`)) count++;
      used.set(base, count + 1);
      name = `${base}_${count}`;
    }
    used.set(name, (used.get(name) ?? 0) + 1);
    names[index] = name;
  }
  return fields.map((field, index) => ({ expression: field.expression, name: names[index] ?? '' }));
}
