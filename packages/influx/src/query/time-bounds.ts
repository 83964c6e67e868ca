import { zoneOffsetMs } from '../http/time-text.ts';
import type { BinaryOperator, Expression } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import { printExpression } from '../influxql/print.ts';

export const MIN_NANOS = -9_223_372_036_854_775_806n;
export const MAX_NANOS = 9_223_372_036_854_775_806n;

/** Both ends included; null where the condition says nothing. */
export type TimeBounds = { readonly min: bigint | null; readonly max: bigint | null };

export const NO_BOUNDS: TimeBounds = { min: null, max: null };

export type SplitCondition = { readonly bounds: TimeBounds; readonly rest: Expression | null };

type TimeScope = { readonly nowNanos: bigint; readonly timeZone: string | null };

/**
 * Takes the conditions on time out. As in influxd they are intersected even below OR. Throws QueryError for what is no
 * condition.
 */
export function splitCondition(condition: Expression | null, scope: TimeScope): SplitCondition {
  if (condition === null) return { bounds: NO_BOUNDS, rest: null };
  switch (condition.kind) {
    case 'paren': {
      const inner = splitCondition(condition.inner, scope);
      return {
        bounds: inner.bounds,
        rest: inner.rest === null ? null : { kind: 'paren', inner: inner.rest },
      };
    }
    case 'boolean':
      return { bounds: NO_BOUNDS, rest: condition };
    case 'binary':
      break;
    default:
      throw new QueryError(`invalid condition expression: ${printExpression(condition)}`);
  }
  const { operator, left, right } = condition;
  if (operator === 'AND' || operator === 'OR') {
    const a = splitCondition(left, scope);
    const b = splitCondition(right, scope);
    const rest =
      a.rest === null || b.rest === null
        ? (a.rest ?? b.rest)
        : { ...condition, left: a.rest, right: b.rest };
    return { bounds: intersect(a.bounds, b.bounds), rest };
  }
  if (!['=', '!=', '<', '<=', '>', '>=', '=~', '!~'].includes(operator)) {
    throw new QueryError(`invalid condition expression: ${printExpression(condition)}`);
  }
  if (isTime(left)) return { bounds: boundsOf(operator, right, scope), rest: null };
  if (isTime(right))
    return { bounds: boundsOf(FLIPPED[operator] ?? operator, left, scope), rest: null };
  return { bounds: NO_BOUNDS, rest: condition };
}

const FLIPPED: Partial<Record<BinaryOperator, BinaryOperator>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function isTime(expression: Expression): boolean {
  return (
    expression.kind === 'reference' &&
    expression.name.toLowerCase() === 'time' &&
    expression.cast === null
  );
}

export function intersect(a: TimeBounds, b: TimeBounds): TimeBounds {
  const min = a.min === null ? b.min : b.min === null || a.min > b.min ? a.min : b.min;
  const max = a.max === null ? b.max : b.max === null || a.max < b.max ? a.max : b.max;
  return { min, max };
}

function boundsOf(operator: BinaryOperator, value: Expression, scope: TimeScope): TimeBounds {
  const nanos = timeValue(value, scope);
  switch (operator) {
    case '=':
      return { min: nanos, max: nanos };
    case '>':
      return { min: nanos + 1n, max: null };
    case '>=':
      return { min: nanos, max: null };
    case '<':
      return { min: null, max: nanos - 1n };
    case '<=':
      return { min: null, max: nanos };
    default:
      throw new QueryError(`invalid time comparison operator: ${operator}`);
  }
}

/** A time literal, or arithmetic of times and durations. */
export function timeValue(expression: Expression, scope: TimeScope): bigint {
  switch (expression.kind) {
    case 'paren':
      return timeValue(expression.inner, scope);
    case 'duration':
    case 'time':
      return expression.nanos;
    case 'integer':
      return expression.value;
    case 'number':
      return BigInt(Math.trunc(expression.value));
    case 'string': {
      const nanos = parseTime(expression.value, scope.timeZone);
      if (nanos === null)
        throw new QueryError(
          `invalid operation: time and *influxql.StringLiteral are not compatible`,
        );
      return nanos;
    }
    case 'call':
      if (expression.name === 'now' && expression.args.length === 0) return scope.nowNanos;
      break;
    case 'binary': {
      const left = timeValue(expression.left, scope);
      const right = timeValue(expression.right, scope);
      if (expression.operator === '+') return left + right;
      if (expression.operator === '-') return left - right;
      if (expression.operator === '*') return left * right;
      if (expression.operator === '/' && right !== 0n) return left / right;
      break;
    }
    case 'boolean':
    case 'distinct':
    case 'reference':
    case 'regex':
    case 'wildcard':
      break;
  }
  const type = GO_TYPES[expression.kind] ?? 'Expr';
  throw new QueryError(`invalid operation: time and *influxql.${type} are not compatible`);
}

/** influxd names its own types in this message. */
const GO_TYPES: Readonly<Partial<Record<Expression['kind'], string>>> = {
  reference: 'VarRef',
  boolean: 'BooleanLiteral',
  regex: 'RegexLiteral',
  call: 'Call',
};

const TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?)?$/;

/** `2006-01-02`, `2006-01-02 15:04:05.999999`, RFC 3339; in the zone when the text names none. Null when it is no time. */
export function parseTime(text: string, timeZone: string | null): bigint | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', decimals = '', zone] = match;
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  if (new Date(ms).getUTCDate() !== Number(day) || Number(hour) > 23) return null;
  let offsetMs = 0;
  if (zone !== undefined && zone !== 'Z') {
    const [hours = '0', minutes = '0'] = zone.slice(1).split(':');
    offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (zone.startsWith('-') ? -1 : 1);
  } else if (zone === undefined && timeZone !== null) {
    offsetMs = zoneOffsetMs(ms - zoneOffsetMs(ms, timeZone), timeZone);
  }
  return BigInt(ms - offsetMs) * 1_000_000n + BigInt(decimals.padEnd(9, '0') || '0');
}
