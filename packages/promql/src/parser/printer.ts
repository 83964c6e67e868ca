import { formatDuration, isLegacyLabelName, METRIC_NAME, quoteText } from '@pollux/model';
import {
  type AggregateExpr,
  type AtModifier,
  type BinaryExpr,
  type DurationExpr,
  type DurationValue,
  type Expr,
  PARAMETER_AGGREGATORS,
  type VectorSelector,
} from './ast.ts';
import { quoteWithBytes } from './string-literal.ts';

/** The expression as Prometheus prints it; parses back to an equal one. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return expr.isDuration ? printDuration(expr.value) : printNumber(expr.value);
    case 'string':
      return quoted(expr.value);
    case 'vector-selector':
      return (
        printSelector(expr) + printAt(expr.at) + printExtended(expr) + printOffset(expr.offset)
      );
    case 'matrix-selector': {
      const { selector } = expr;
      const window = `[${printDurationValue(expr.window)}]`;
      return (
        printSelector(selector) +
        window +
        printExtended(selector) +
        printAt(selector.at) +
        printOffset(selector.offset)
      );
    }
    case 'subquery': {
      const step = expr.step === null ? '' : printDurationValue(expr.step);
      const window = `[${printDurationValue(expr.window)}:${step}]`;
      return printExpr(expr.expr) + window + printAt(expr.at) + printOffset(expr.offset);
    }
    case 'aggregate':
      return printAggregate(expr);
    case 'binary':
      return printBinary(expr);
    case 'call':
      return `${expr.signature.name}(${expr.args.map(printExpr).join(', ')})`;
    case 'unary':
      return expr.operator + printExpr(expr.expr);
    case 'parentheses':
      return `(${printExpr(expr.expr)})`;
  }
}

/** Go's 'f' format: never an exponent. */
export function printNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  return withoutExponent(String(value));
}

function withoutExponent(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, whole, fraction = '', exponentText] = match;
  const exponent = Number(exponentText);
  const digits = whole! + fraction;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  return sign + digits.padEnd(exponent + 1, '0');
}

function printDuration(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  return formatDuration(ms);
}

function printDurationValue(value: DurationValue): string {
  return value.expr === null ? formatDuration(value.ms) : printDurationExpr(value.expr);
}

function printDurationExpr(expr: DurationExpr): string {
  switch (expr.kind) {
    case 'duration-literal':
      return expr.isDuration ? printDuration(expr.seconds) : printNumber(expr.seconds);
    case 'duration-variable':
      return `${expr.name}()`;
    case 'duration-parentheses':
      return `(${printDurationExpr(expr.inner)})`;
    case 'duration-unary':
      return (expr.operator === '-' ? '-' : '') + printDurationExpr(expr.operand);
    case 'duration-binary': {
      const left = printDurationExpr(expr.left);
      const right = printDurationExpr(expr.right);
      return expr.operator === 'min_of' || expr.operator === 'max_of'
        ? `${expr.operator}(${left}, ${right})`
        : `${left} ${expr.operator} ${right}`;
    }
  }
}

function printSelector(selector: VectorSelector): string {
  const matchers = selector.matchers
    .filter(
      (matcher) =>
        !(
          matcher.name === METRIC_NAME &&
          matcher.operator === '=' &&
          matcher.value === selector.name &&
          matcher.value !== ''
        ),
    )
    .map(({ name, operator, value }) => `${printLabel(name)}${operator}${quoted(value)}`)
    .sort();
  return selector.name + (matchers.length === 0 ? '' : `{${matchers.join(',')}}`);
}

function printAt(at: AtModifier | null): string {
  if (at === null) return '';
  if (at.kind === 'timestamp') return ` @ ${(at.timestampMs / 1000).toFixed(3)}`;
  return ` @ ${at.kind}()`;
}

function printExtended(selector: VectorSelector): string {
  if (selector.anchored) return ' anchored';
  return selector.smoothed ? ' smoothed' : '';
}

function printOffset(offset: DurationValue | null): string {
  if (offset === null) return '';
  if (offset.expr !== null) return ` offset ${printDurationExpr(offset.expr)}`;
  return offset.ms === 0 ? '' : ` offset ${formatDuration(offset.ms)}`;
}

function printAggregate(expr: AggregateExpr): string {
  let head: string = expr.operator;
  if (expr.without) head += ` without (${printLabels(expr.grouping)}) `;
  else if (expr.grouping.length > 0) head += ` by (${printLabels(expr.grouping)}) `;
  const hasParameter = PARAMETER_AGGREGATORS.has(expr.operator) && expr.parameter !== null;
  const parameter = hasParameter ? `${printExpr(expr.parameter!)}, ` : '';
  return `${head}(${parameter}${printExpr(expr.expr)})`;
}

function printBinary(expr: BinaryExpr): string {
  const bool = expr.bool ? ' bool' : '';
  return `${printExpr(expr.left)} ${expr.operator}${bool}${printMatching(expr)} ${printExpr(expr.right)}`;
}

function printMatching(expr: BinaryExpr): string {
  const { matching } = expr;
  if (matching === null) return '';
  let text = '';
  const isGrouped =
    matching.cardinality === 'many-to-one' || matching.cardinality === 'one-to-many';
  if (matching.labels.length > 0 || matching.on || isGrouped)
    text += ` ${matching.on ? 'on' : 'ignoring'} (${printLabels(matching.labels)})`;
  if (isGrouped) {
    const side = matching.cardinality === 'many-to-one' ? 'left' : 'right';
    text += ` group_${side} (${printLabels(matching.include)})`;
  }
  const { fillLeft, fillRight } = matching;
  if (fillLeft !== null && fillRight !== null && fillLeft === fillRight)
    return `${text} fill (${printNumber(fillLeft)})`;
  if (fillLeft !== null) text += ` fill_left (${printNumber(fillLeft)})`;
  if (fillRight !== null) text += ` fill_right (${printNumber(fillRight)})`;
  return text;
}

function printLabels(labels: readonly string[]): string {
  return labels.map(printLabel).join(', ');
}

function printLabel(label: string): string {
  return isLegacyLabelName(label) ? label : quoted(label);
}

/** Strings may hold bytes that are no UTF-8, which only an escape of bytes reads back. */
function quoted(text: string): string {
  return quoteWithBytes(text, quoteText);
}
