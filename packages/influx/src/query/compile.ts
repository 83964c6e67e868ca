import { type Expression, type SelectStatement, walk } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import { printExpression } from '../influxql/print.ts';
import { FUNCTIONS } from './functions.ts';
import { mathArity } from './math.ts';
import { checkIndicator, isIndicator } from './technical.ts';
import { TRANSFORMS } from './transforms.ts';

type Call = Expression & { readonly kind: 'call' };

/** What kind of statement it is. */
export type Shape = {
  readonly hasCalls: boolean;
  /** GROUP BY time: 0 for none. */
  readonly intervalNanos: bigint;
  readonly offsetNanos: bigint;
  /** The one selector whose points bring other fields and tags along. */
  readonly hasLoneSelector: boolean;
};

const LITERALS: Readonly<Partial<Record<Expression['kind'], string>>> = {
  integer: 'IntegerLiteral',
  number: 'NumberLiteral',
  boolean: 'BooleanLiteral',
  string: 'StringLiteral',
  reference: 'VarRef',
};
/** Arguments of calls as [least, most]. */
const ARGUMENTS: Readonly<Record<string, readonly [number, number]>> = {
  percentile: [2, 2],
  sample: [2, 2],
  moving_average: [2, 2],
  derivative: [1, 2],
  non_negative_derivative: [1, 2],
  elapsed: [1, 2],
  integral: [1, 2],
  holt_winters: [3, 3],
  holt_winters_with_fit: [3, 3],
};

/** Checks a SELECT by influxd's rules. Throws QueryError with its words. `nowNanos` is for time(…, now()). */
export function compileSelect(
  statement: SelectStatement,
  nowNanos: bigint,
  outerInterval = 0n,
): Shape {
  const group = compileDimensions(statement, nowNanos);
  const hasOwn = group.intervalNanos > 0n;
  const checker = new FieldChecker(
    statement,
    group.intervalNanos,
    hasOwn ? group.intervalNanos : outerInterval,
  );
  const fields = statement.fields.filter(({ expression }) => !isTimeReference(expression));
  if (fields.length === 0) throw new QueryError('at least 1 non-time field must be queried');
  for (const { expression } of fields) checker.field(expression);
  return { ...checker.finish(), ...group };
}

export function isTimeReference(expression: Expression): boolean {
  return expression.kind === 'reference' && expression.name === 'time';
}

function compileDimensions(
  statement: SelectStatement,
  nowNanos: bigint,
): { readonly intervalNanos: bigint; readonly offsetNanos: bigint } {
  let intervalNanos = 0n;
  let offsetNanos = 0n;
  for (const written of statement.dimensions) {
    const dimension = written.kind === 'paren' ? written.inner : written;
    if (dimension.kind === 'reference') {
      if (dimension.name.toLowerCase() === 'time') {
        throw new QueryError('time() is a function and expects at least one argument');
      }
      continue;
    }
    if (dimension.kind === 'wildcard' || dimension.kind === 'regex') continue;
    if (dimension.kind !== 'call') throw new QueryError('only time and tag dimensions allowed');
    if (dimension.name !== 'time') throw new QueryError('only time() calls allowed in dimensions');
    const [interval, offset] = dimension.args;
    if (dimension.args.length < 1 || dimension.args.length > 2) {
      throw new QueryError('time dimension expected 1 or 2 arguments');
    }
    if (interval?.kind !== 'duration')
      throw new QueryError('time dimension must have duration argument');
    if (intervalNanos !== 0n) throw new QueryError('multiple time dimensions not allowed');
    intervalNanos = interval.nanos;
    if (offset !== undefined) offsetNanos = offsetOf(offset, intervalNanos, nowNanos);
  }
  return { intervalNanos, offsetNanos };
}

function offsetOf(offset: Expression, interval: bigint, nowNanos: bigint): bigint {
  if (offset.kind === 'duration') return interval === 0n ? 0n : offset.nanos % interval;
  if (offset.kind === 'time') return interval === 0n ? 0n : offset.nanos % interval;
  if (offset.kind === 'call') {
    if (offset.name !== 'now') throw new QueryError('time dimension offset function must be now()');
    if (offset.args.length !== 0)
      throw new QueryError('time dimension offset now() function requires no arguments');
    return interval === 0n ? 0n : nowNanos % interval;
  }
  if (offset.kind === 'string') {
    const ms = Date.parse(offset.value.length === 10 ? `${offset.value}T00:00:00Z` : offset.value);
    if (!Number.isNaN(ms)) return interval === 0n ? 0n : (BigInt(ms) * 1_000_000n) % interval;
  }
  throw new QueryError('time dimension offset must be duration or now()');
}

class FieldChecker {
  readonly #statement: SelectStatement;
  readonly #interval: bigint;
  /** That of the query around a subquery, when it has none itself. */
  readonly #effectiveInterval: bigint;
  readonly #calls: string[] = [];
  #selectors = 0;
  #aggregates = 0;
  #hasAuxiliary = false;
  #hasDistinct = false;
  #fieldCount = 0;
  #topBottom: string | null = null;
  #hasTransform = false;

  constructor(statement: SelectStatement, interval: bigint, effectiveInterval: bigint) {
    this.#statement = statement;
    this.#interval = interval;
    this.#effectiveInterval = effectiveInterval;
  }

  field(expression: Expression): void {
    this.#fieldCount++;
    this.#expression(expression, true);
  }

  #expression(expression: Expression, isTop: boolean): void {
    switch (expression.kind) {
      case 'reference':
      case 'wildcard':
      case 'regex':
        this.#hasAuxiliary = true;
        return;
      case 'call':
        this.#call(expression, isTop);
        return;
      case 'distinct':
        this.#call(
          {
            kind: 'call',
            name: 'distinct',
            args: [{ kind: 'reference', name: expression.name, cast: null }],
          },
          isTop,
        );
        return;
      case 'binary': {
        this.#expression(expression.left, false);
        this.#expression(expression.right, false);
        return;
      }
      case 'paren':
        this.#expression(expression.inner, isTop);
        return;
      default:
        if (isTop) throw new QueryError('field must contain at least one variable');
    }
  }

  #call(call: Call, isTop: boolean): void {
    const arity = mathArity(call.name);
    if (arity > 0) {
      checkCount(call, arity, arity);
      if (isTop && !hasVariable(call))
        throw new QueryError('field must contain at least one variable');
      for (const arg of call.args) this.#expression(arg, false);
      return;
    }
    this.#calls.push(call.name);
    if (call.name === 'top' || call.name === 'bottom') {
      this.#checkTop(call);
      this.#topBottom ??= call.name;
      this.#selectors++;
      return;
    }
    this.#checkFunction(call);
    if (call.name === 'distinct') this.#hasDistinct = true;
    const kind = FUNCTIONS[call.name]?.kind;
    const [arg] = call.args;
    // A wildcard may stand for several calls, which then share a row.
    const isMany = arg?.kind === 'wildcard' || arg?.kind === 'regex';
    if (!isMany && (kind === 'selector' || call.name === 'sample')) this.#selectors++;
    else this.#aggregates++;
    if (TRANSFORMS[call.name] !== undefined) this.#hasTransform = true;
  }

  #checkFunction(call: Call): void {
    const { name } = call;
    if (TRANSFORMS[name] !== undefined) {
      this.#checkTransform(call);
      return;
    }
    if (FUNCTIONS[name] === undefined) throw new QueryError(`undefined function ${name}()`);
    if (name === 'distinct') {
      if (call.args.length === 0)
        throw new QueryError('distinct function requires at least one argument');
      if (call.args.length !== 1)
        throw new QueryError('distinct function can only have one argument');
    } else {
      const [least, most] = ARGUMENTS[name] ?? [1, 1];
      checkCount(call, least, most);
    }
    checkSecond(call);
    const [arg] = call.args;
    if (
      name === 'count' &&
      (arg?.kind === 'distinct' || (arg?.kind === 'call' && arg.name === 'distinct'))
    ) {
      if (arg.kind === 'call') this.#checkFunction(arg);
      return;
    }
    const isPattern = name !== 'distinct' && (arg?.kind === 'wildcard' || arg?.kind === 'regex');
    if (arg?.kind !== 'reference' && !isPattern)
      throw new QueryError(`expected field argument in ${name}()`);
  }

  #checkTransform(call: Call): void {
    const { name } = call;
    const isForecast = name.startsWith('holt_winters');
    if (isIndicator(name)) checkIndicator(call);
    else {
      const [least, most] = ARGUMENTS[name] ?? [1, 1];
      checkCount(call, least, most);
    }
    if (isForecast) checkForecast(call);
    checkSecond(call);
    const [arg] = call.args;
    if (arg?.kind === 'call') {
      if (arg.name === 'top' || arg.name === 'bottom') this.#checkTop(arg);
      else if (mathArity(arg.name) === 0) this.#checkFunction(arg);
      if (this.#effectiveInterval === 0n)
        throw new QueryError(`${name} aggregate requires a GROUP BY interval`);
    } else {
      if (isForecast) throw new QueryError(`must use aggregate function with ${name}`);
      if (this.#interval > 0n)
        throw new QueryError(`aggregate function required inside the call to ${name}`);
      if (arg?.kind !== 'reference' && arg?.kind !== 'wildcard' && arg?.kind !== 'regex') {
        throw new QueryError(`expected field argument in ${name}()`);
      }
    }
  }

  #checkTop(call: Call): void {
    const { name, args } = call;
    if (args.length < 2) {
      throw new QueryError(
        `invalid number of arguments for ${name}, expected at least 2, got ${args.length}`,
      );
    }
    const last = args[args.length - 1]!;
    if (last.kind !== 'integer') {
      throw new QueryError(
        `expected integer as last argument in ${name}(), found ${printExpression(last)}`,
      );
    }
    if (last.value < 1n)
      throw new QueryError(`limit (${last.value}) in ${name} function must be at least 1`);
    const [first] = args;
    if (first?.kind !== 'reference') {
      const shown = first === undefined ? '' : printExpression(first);
      throw new QueryError(`expected first argument to be a field in ${name}(), found ${shown}`);
    }
    for (const arg of args.slice(1, -1)) {
      if (arg.kind === 'reference') continue;
      throw new QueryError(
        `only fields or tags are allowed in ${name}(), found ${printExpression(arg)}`,
      );
    }
    const { limit } = this.#statement;
    if (limit > 0 && last.value > BigInt(limit)) {
      throw new QueryError(
        `limit (${last.value}) in ${name} function can not be larger than the LIMIT (${limit}) in the select statement`,
      );
    }
  }

  finish(): { readonly hasCalls: boolean; readonly hasLoneSelector: boolean } {
    const calls = this.#calls.length;
    if (this.#hasDistinct && (calls !== 1 || this.#fieldCount !== 1 || this.#hasAuxiliary)) {
      throw new QueryError(
        'aggregate function distinct() cannot be combined with other functions or fields',
      );
    }
    if (this.#topBottom !== null && calls > 1) {
      throw new QueryError(
        `selector function ${this.#topBottom}() cannot be combined with other functions`,
      );
    }
    if (calls === 0) {
      if (this.#interval > 0n)
        throw new QueryError('GROUP BY requires at least one aggregate function');
      const { fill, hasFill } = this.#statement;
      if (hasFill && (fill.kind === 'none' || fill.kind === 'linear')) {
        throw new QueryError(`fill(${fill.kind}) must be used with a function`);
      }
    }
    if (this.#hasAuxiliary && calls > 0) {
      if (this.#aggregates > 0)
        throw new QueryError('mixing aggregate and non-aggregate queries is not supported');
      if (this.#selectors > 1) {
        throw new QueryError(
          'mixing multiple selector functions with tags or fields is not supported',
        );
      }
    }
    const hasLoneSelector = calls === 1 && this.#selectors === 1 && !this.#hasTransform;
    return { hasCalls: calls > 0, hasLoneSelector };
  }
}

function checkCount(call: Call, least: number, most: number): void {
  const got = call.args.length;
  if (got >= least && got <= most) return;
  const expected =
    least === most ? `expected ${least}` : `expected at least ${least} but no more than ${most}`;
  throw new QueryError(`invalid number of arguments for ${call.name}, ${expected}, got ${got}`);
}

/** The second argument, where the function has one. */
function checkSecond(call: Call): void {
  const [, second] = call.args;
  const { name } = call;
  if (second === undefined) return;
  switch (name) {
    case 'derivative':
    case 'non_negative_derivative':
    case 'elapsed':
    case 'integral':
      if (second.kind !== 'duration') {
        if (name === 'integral') throw new QueryError('second argument must be a duration');
        const type = LITERALS[second.kind] ?? 'Expr';
        throw new QueryError(
          `second argument to ${name} must be a duration, got *influxql.${type}`,
        );
      }
      if (second.nanos <= 0n) {
        throw new QueryError(
          `duration argument must be positive, got ${printExpression({ kind: 'duration', nanos: second.nanos })}`,
        );
      }
      return;
    case 'moving_average':
      if (second.kind !== 'integer') {
        const type = LITERALS[second.kind] ?? 'Expr';
        throw new QueryError(
          `second argument for moving_average must be an integer, got *influxql.${type}`,
        );
      }
      if (second.value <= 1n)
        throw new QueryError(`moving_average window must be greater than 1, got ${second.value}`);
      return;
    case 'percentile':
      if (second.kind !== 'integer' && second.kind !== 'number')
        throw new QueryError('expected float argument in percentile()');
      return;
    case 'sample':
      if (second.kind !== 'integer') throw new QueryError('expected integer argument in sample()');
      if (second.value <= 0n)
        throw new QueryError(`sample window must be greater than 1, got ${second.value}`);
  }
}

function checkForecast(call: Call): void {
  const { name } = call;
  const [, size, season] = call.args;
  if (size?.kind !== 'integer')
    throw new QueryError(`expected integer argument as second arg in ${name}`);
  if (size.value <= 0n)
    throw new QueryError(`second arg to ${name} must be greater than 0, got ${size.value}`);
  if (season?.kind !== 'integer')
    throw new QueryError(`expected integer argument as third arg in ${name}`);
  if (season.value < 0n)
    throw new QueryError(`third arg to ${name} cannot be negative, got ${season.value}`);
}

function hasVariable(expression: Expression): boolean {
  let isFound = false;
  walk(expression, (node) => {
    if (node.kind === 'reference' || node.kind === 'wildcard' || node.kind === 'regex')
      isFound = true;
    if (node.kind === 'call' && mathArity(node.name) === 0) isFound = true;
  });
  return isFound;
}
