import { compileRe2 } from '@pollux/model';
import type { BinaryOperator, Expression } from '../influxql/ast.ts';
import { mathArity, mathCall } from './math.ts';
import type { Cell } from './result.ts';

/** Values of a row by name; undefined when the name is unknown there. */
export type Lookup = (expression: Expression & { readonly kind: 'reference' | 'call' }) => Cell;

/** Regular expressions compiled once per statement. */
export class PatternCache {
  readonly #patterns = new Map<string, (text: string) => boolean>();

  matches(source: string, text: string): boolean {
    let matcher = this.#patterns.get(source);
    if (matcher === undefined) {
      const compiled = compileRe2(source);
      matcher = (candidate) => compiled.matcher(candidate).find();
      this.#patterns.set(source, matcher);
    }
    return matcher(text);
  }
}

/** The value of an expression over one row. Calls that are no math functions are asked of `lookup`. */
export function evaluate(expression: Expression, lookup: Lookup, patterns: PatternCache): Cell {
  switch (expression.kind) {
    case 'reference':
      return lookup(expression);
    case 'call': {
      if (mathArity(expression.name) === 0) return lookup(expression);
      return mathCall(
        expression.name,
        expression.args.map((arg) => evaluate(arg, lookup, patterns)),
      );
    }
    case 'paren':
      return evaluate(expression.inner, lookup, patterns);
    case 'binary':
      return evaluateBinary(expression, lookup, patterns);
    case 'number':
    case 'integer':
    case 'string':
    case 'boolean':
      return expression.value;
    case 'duration':
    case 'time':
      return expression.nanos;
    default:
      return null;
  }
}

function evaluateBinary(
  expression: Expression & { readonly kind: 'binary' },
  lookup: Lookup,
  patterns: PatternCache,
): Cell {
  const { operator } = expression;
  const left = evaluate(expression.left, lookup, patterns);
  if (operator === 'AND')
    return left === true && evaluate(expression.right, lookup, patterns) === true;
  if (operator === 'OR')
    return left === true || evaluate(expression.right, lookup, patterns) === true;
  if (operator === '=~' || operator === '!~') {
    if (typeof left !== 'string' || expression.right.kind !== 'regex') return false;
    return patterns.matches(expression.right.source, left) === (operator === '=~');
  }
  return combine(operator, left, evaluate(expression.right, lookup, patterns));
}

const COMPARISONS: readonly string[] = ['=', '!=', '<', '<=', '>', '>='];

/** One operator over two values: integers stay integers except in divisions, an integer beside a float becomes one. */
export function combine(operator: BinaryOperator, left: Cell, right: Cell): Cell {
  const isComparison = COMPARISONS.includes(operator);
  if (left === null || right === null) return isComparison ? false : null;
  if (typeof left === 'string' || typeof right === 'string') {
    if (typeof left !== typeof right) return isComparison ? false : null;
    if (operator === '=') return left === right;
    if (operator === '!=') return left !== right;
    return isComparison ? false : null;
  }
  if (typeof left === 'boolean' || typeof right === 'boolean')
    return combineBooleans(operator, left, right);
  if (isComparison) return compare(operator, left, right);
  if (typeof left === 'bigint' && typeof right === 'bigint')
    return combineIntegers(operator, left, right);
  return combineFloats(operator, Number(left), Number(right));
}

function compare(operator: BinaryOperator, left: number | bigint, right: number | bigint): boolean {
  switch (operator) {
    case '=':
      // Strict equality would tell an integer from the float of the same value.
      return !(left < right) && !(left > right) && !Number.isNaN(Number(left) + Number(right));
    case '!=':
      return left < right || left > right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    default:
      return left >= right;
  }
}

function combineBooleans(operator: BinaryOperator, left: Cell, right: Cell): Cell {
  if (typeof left !== 'boolean' || typeof right !== 'boolean')
    return COMPARISONS.includes(operator) ? false : null;
  switch (operator) {
    case '=':
      return left === right;
    case '!=':
    case '^':
      return left !== right;
    case '&':
      return left && right;
    case '|':
      return left || right;
    default:
      return COMPARISONS.includes(operator) ? false : null;
  }
}

function combineIntegers(operator: BinaryOperator, left: bigint, right: bigint): Cell {
  switch (operator) {
    case '+':
      return BigInt.asIntN(64, left + right);
    case '-':
      return BigInt.asIntN(64, left - right);
    case '*':
      return BigInt.asIntN(64, left * right);
    case '/':
      return right === 0n ? 0 : Number(left) / Number(right);
    case '%':
      return right === 0n ? 0n : left % right;
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '^':
      return left ^ right;
    default:
      return null;
  }
}

function combineFloats(operator: BinaryOperator, left: number, right: number): Cell {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? 0 : left / right;
    case '%':
      return right === 0 ? null : left % right;
    default:
      return null;
  }
}
