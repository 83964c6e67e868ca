import { METRIC_NAME, quoteText } from '@pollux/model';
import {
  type AggregateExpr,
  type BinaryExpr,
  type CallExpr,
  type Expr,
  isComparison,
  isSetOperator,
  typeOf,
  type VectorSelector,
} from './ast.ts';
import { ParseError, type PositionRange } from './parse-error.ts';
import { documentedType, type ValueType } from './value-type.ts';

/** Checks types and everything else that the grammar alone does not say. Throws {@link ParseError}. */
export function checkExpr(expr: Expr, query: string): void {
  new Checker(query).check(expr);
}

class Checker {
  readonly #query: string;

  constructor(query: string) {
    this.#query = query;
  }

  check(expr: Expr): ValueType {
    switch (expr.kind) {
      case 'number':
      case 'string':
        break;
      case 'vector-selector':
        this.#selector(expr);
        break;
      case 'matrix-selector':
        this.#selector(expr.selector);
        break;
      case 'subquery': {
        const type = this.check(expr.expr);
        if (type !== 'vector') {
          throw this.#error(
            expr.range,
            `subquery is only allowed on instant vector, got ${type} instead`,
          );
        }
        break;
      }
      case 'aggregate':
        this.#aggregate(expr);
        break;
      case 'binary':
        this.#binary(expr);
        break;
      case 'call':
        this.#call(expr);
        break;
      case 'unary': {
        const type = this.check(expr.expr);
        if (type !== 'scalar' && type !== 'vector') {
          throw this.#error(
            expr.range,
            `unary expression only allowed on expressions of type scalar or instant vector, got "${documentedType(type)}"`,
          );
        }
        break;
      }
      case 'parentheses':
        this.check(expr.expr);
        break;
    }
    return typeOf(expr);
  }

  #selector(selector: VectorSelector): void {
    if (selector.name !== '') {
      const second = selector.matchers.slice(0, -1).find((matcher) => matcher.name === METRIC_NAME);
      if (second !== undefined) {
        throw this.#error(
          selector.range,
          `metric name must not be set twice: ${quoteText(selector.name)} or ${quoteText(second.value)}`,
        );
      }
      return;
    }
    if (selector.matchers.every((matcher) => matcher.matchesEmpty)) {
      throw this.#error(
        selector.range,
        'vector selector must contain at least one non-empty matcher',
      );
    }
  }

  #expect(expr: Expr, wanted: ValueType, context: string): void {
    const type = this.check(expr);
    if (type !== wanted) {
      throw this.#error(
        expr.range,
        `expected type ${documentedType(wanted)} in ${context}, got ${documentedType(type)}`,
      );
    }
  }

  #aggregate(expr: AggregateExpr): void {
    this.#expect(expr.expr, 'vector', 'aggregation expression');
    if (expr.parameter === null) return;
    const wanted = expr.operator === 'count_values' ? 'string' : 'scalar';
    this.#expect(expr.parameter, wanted, 'aggregation parameter');
  }

  #binary(expr: BinaryExpr): void {
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const { operator, matching } = expr;
    if (expr.bool && !isComparison(operator)) {
      throw this.#error(
        this.#operatorRange(expr),
        'bool modifier can only be used on comparison operators',
      );
    }
    if (isComparison(operator) && !expr.bool && left === 'scalar' && right === 'scalar') {
      throw this.#error(
        this.#operatorRange(expr),
        'comparisons between scalars must use BOOL modifier',
      );
    }
    if (matching?.on) {
      const both = matching.labels.find((label) => matching.include.includes(label));
      if (both !== undefined) {
        throw this.#error(
          this.#operatorRange(expr),
          `label ${quoteText(both)} must not occur in ON and GROUP clause at once`,
        );
      }
    }
    const message = 'binary expression must contain only scalar and instant vector types';
    if (left !== 'scalar' && left !== 'vector') throw this.#error(expr.left.range, message);
    if (right !== 'scalar' && right !== 'vector') throw this.#error(expr.right.range, message);
    this.#matching(expr, left === 'vector' && right === 'vector');
  }

  #matching(expr: BinaryExpr, areVectors: boolean): void {
    const { operator, matching } = expr;
    if (!areVectors) {
      if (matching !== null && matching.labels.length > 0)
        throw this.#error(expr.range, 'vector matching only allowed between instant vectors');
      if (matching !== null && (matching.fillLeft !== null || matching.fillRight !== null)) {
        throw this.#error(
          expr.range,
          'filling in missing series only allowed between instant vectors',
        );
      }
      if (isSetOperator(operator)) {
        throw this.#error(
          expr.range,
          `set operator "${operator}" not allowed in binary scalar expression`,
        );
      }
      return;
    }
    if (!isSetOperator(operator) || matching === null) return;
    if (matching.cardinality !== 'many-to-many')
      throw this.#error(expr.range, `no grouping allowed for "${operator}" operation`);
    if (matching.fillLeft !== null || matching.fillRight !== null)
      throw this.#error(expr.range, 'filling in missing series not allowed for set operators');
  }

  #call(expr: CallExpr): void {
    const { signature, args } = expr;
    const name = quoteText(signature.name);
    const wanted = signature.args.length;
    if (signature.variadic === 0) {
      if (args.length !== wanted) {
        throw this.#error(
          expr.range,
          `expected ${wanted} argument(s) in call to ${name}, got ${args.length}`,
        );
      }
    } else {
      const least = wanted - 1;
      if (args.length < least) {
        throw this.#error(
          expr.range,
          `expected at least ${least} argument(s) in call to ${name}, got ${args.length}`,
        );
      }
      const most = least + signature.variadic;
      if (signature.variadic > 0 && args.length > most) {
        throw this.#error(
          expr.range,
          `expected at most ${most} argument(s) in call to ${name}, got ${args.length}`,
        );
      }
    }
    if (signature.name === 'info' && args.length > 1) this.#infoMatchers(expr, args[1]!);
    for (const [index, arg] of args.entries()) {
      const type = signature.args[Math.min(index, wanted - 1)]!;
      // The brace-only second argument of info is a set of matchers, not a selector to be checked as one.
      if (signature.name === 'info' && index === 1) continue;
      const actual = this.check(arg);
      if (actual !== type) {
        throw this.#error(
          arg.range,
          `expected type ${documentedType(type)} in call to function ${name}, got ${documentedType(actual)}`,
        );
      }
    }
  }

  #infoMatchers(call: CallExpr, arg: Expr): void {
    const type = typeOf(arg);
    if (type !== 'vector') {
      throw this.#error(
        call.range,
        `expected type instant vector in call to function "info", got ${documentedType(type)}`,
      );
    }
    if (arg.kind !== 'vector-selector')
      throw this.#error(arg.range, 'expected label selectors only');
    if (arg.name !== '') {
      throw this.#error(arg.range, 'expected label selectors only, got vector selector instead');
    }
  }

  /** Between the operands, without the blanks: that is how Prometheus places errors of an operator. */
  #operatorRange(expr: BinaryExpr): PositionRange {
    let start = expr.left.range.end;
    let end = expr.right.range.start;
    while (start < end && /\s/.test(this.#query[start]!)) start++;
    while (end > start && /\s/.test(this.#query[end - 1]!)) end--;
    return { start, end };
  }

  #error(range: PositionRange, reason: string): ParseError {
    return new ParseError(this.#query, range, reason);
  }
}
