import { unreachable } from '@pollux/base';
import { formatTime } from '../http/time-text.ts';
import type { Expression, Field, Fill, Measurement, SelectStatement, Source } from './ast.ts';
import { formatInfluxDuration } from './duration.ts';
import { KEYWORDS } from './token.ts';

/** An identifier as influxd prints it: quoted when it is no bare word. */
export function quoteIdentifier(...segments: readonly string[]): string {
  return segments
    .map((segment) => {
      const isBare =
        /^[A-Za-z_][A-Za-z0-9_]*$/.test(segment) && !KEYWORDS.has(segment.toUpperCase());
      return isBare
        ? segment
        : `"${segment.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
    })
    .join('.');
}

export function quoteString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
}

export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'reference':
      return (
        quoteIdentifier(expression.name) + (expression.cast === null ? '' : `::${expression.cast}`)
      );
    case 'call':
      return `${expression.name}(${expression.args.map(printExpression).join(', ')})`;
    case 'binary':
      return `${printExpression(expression.left)} ${expression.operator} ${printExpression(expression.right)}`;
    case 'paren':
      return `(${printExpression(expression.inner)})`;
    case 'number':
      return printNumber(expression.value);
    case 'integer':
      return expression.value.toString();
    case 'string':
      return quoteString(expression.value);
    case 'boolean':
      return String(expression.value);
    case 'duration':
      return expression.nanos < 0n
        ? `-${formatInfluxDuration(-expression.nanos)}`
        : formatInfluxDuration(expression.nanos);
    case 'time':
      return `'${formatTime(expression.nanos, null)}'`;
    case 'regex':
      return `/${expression.source.replaceAll('/', '\\/')}/`;
    case 'wildcard':
      return expression.cast === null ? '*' : `*::${expression.cast}`;
    case 'distinct':
      return `DISTINCT ${expression.name}`;
    default:
      return unreachable(expression);
  }
}

/** Three decimals as influxd prints them, more where the value has more: what is printed is stored and run again. */
function printNumber(value: number): string {
  const short = value.toFixed(3);
  if (Number(short) === value) return short;
  const shortest = String(value);
  // InfluxQL has no exponents.
  return shortest.includes('e') ? value.toFixed(100).replace(/0+$/, '') : shortest;
}

export function printMeasurement(source: Measurement): string {
  const name =
    source.regex === null
      ? quoteIdentifier(source.name)
      : `/${source.regex.replaceAll('/', '\\/')}/`;
  const database = source.database === '' ? '' : `${quoteIdentifier(source.database)}.`;
  const policy = source.retentionPolicy === '' ? '' : quoteIdentifier(source.retentionPolicy);
  return database + policy + (database !== '' || policy !== '' ? '.' : '') + name;
}

function printSource(source: Source): string {
  return source.kind === 'measurement'
    ? printMeasurement(source)
    : `(${printSelect(source.statement)})`;
}

function printField(field: Field): string {
  const text = printExpression(field.expression);
  return field.alias === '' ? text : `${text} AS ${quoteIdentifier(field.alias)}`;
}

function printFill(fill: Fill): string {
  return fill.kind === 'number' ? `fill(${fill.value})` : `fill(${fill.kind})`;
}

/** The statement as one line of InfluxQL. */
export function printSelect(statement: SelectStatement): string {
  let text = `SELECT ${statement.fields.map(printField).join(', ')}`;
  if (statement.target !== null) {
    const { database, retentionPolicy, name } = statement.target;
    const place = [database, retentionPolicy]
      .filter((part) => part !== '')
      .map((part) => `${quoteIdentifier(part)}.`);
    text += ` INTO ${place.join('')}${name === null ? ':MEASUREMENT' : quoteIdentifier(name)}`;
  }
  text += ` FROM ${statement.sources.map(printSource).join(', ')}`;
  if (statement.condition !== null) text += ` WHERE ${printExpression(statement.condition)}`;
  if (statement.dimensions.length > 0)
    text += ` GROUP BY ${statement.dimensions.map(printExpression).join(', ')}`;
  if (statement.hasFill && statement.fill.kind !== 'null') text += ` ${printFill(statement.fill)}`;
  if (statement.hasOrder) text += ` ORDER BY time ${statement.ascending ? 'ASC' : 'DESC'}`;
  if (statement.limit > 0) text += ` LIMIT ${statement.limit}`;
  if (statement.offset > 0) text += ` OFFSET ${statement.offset}`;
  if (statement.slimit > 0) text += ` SLIMIT ${statement.slimit}`;
  if (statement.soffset > 0) text += ` SOFFSET ${statement.soffset}`;
  if (statement.timeZone !== null) text += ` TZ('${statement.timeZone}')`;
  return text;
}
