import { isLegacyLabelName, type Matcher, quoteText } from '@pollux/model';
import {
  type AggregateExpr,
  type AggregateOperator,
  type AtModifier,
  type BinaryExpr,
  type BinaryOperator,
  type CallExpr,
  type DurationValue,
  type Expr,
  isSetOperator,
  PARAMETER_AGGREGATORS,
  typeOf,
  type VectorMatching,
  type VectorSelector,
} from './ast.ts';
import { checkExpr } from './check.ts';
import { FUNCTIONS } from './functions.ts';
import { tokenize } from './lexer.ts';
import { readDurationSeconds, readNumber } from './number-literal.ts';
import { parseOffset, parseWindow } from './parse-duration.ts';
import { ParseError } from './parse-error.ts';
import { parseVectorSelector } from './parse-selector.ts';
import { isMetricName, NO_KEYWORDS, type Token } from './token.ts';
import { TokenReader } from './token-reader.ts';

/** What of the language is switched on; the defaults are those of a Prometheus 3.14 without feature flags. */
export type ParserOptions = {
  readonly experimentalFunctions?: boolean;
  readonly durationExpressions?: boolean;
  readonly extendedRangeSelectors?: boolean;
  readonly fillModifiers?: boolean;
};

/** Longest accepted query, in UTF-16 units. */
const MAX_QUERY_LENGTH = 1 << 20;
/** Longest chain of binary operators without parentheses. */
const MAX_CHAIN = 1_000;

/** Parses and type-checks a query. Throws {@link ParseError}. */
export function parseExpr(query: string, options: ParserOptions = {}): Expr {
  const expr = new Parser(openReader(query), options).parseAll();
  checkExpr(expr, query);
  return expr;
}

/** The matchers of a series selector such as `up{job="a"}`, as `match[]` parameters take it. Throws {@link ParseError}. */
export function parseSeriesSelector(
  query: string,
  options: { readonly mayMatchAll?: boolean } = {},
): readonly Matcher[] {
  const reader = openReader(query);
  if (reader.peek().type !== '{' && !isMetricName(reader.peek())) throw reader.unexpected('', '');
  const selector = parseVectorSelector(reader);
  if (reader.peek().group !== 'eof') throw reader.unexpected('', '');
  if (options.mayMatchAll !== true) checkExpr(selector, query);
  return selector.matchers;
}

function openReader(query: string): TokenReader {
  if (query.length > MAX_QUERY_LENGTH) {
    throw new ParseError(
      query.slice(0, 1),
      { start: 0, end: 0 },
      `query is longer than ${MAX_QUERY_LENGTH} characters`,
    );
  }
  const reader = new TokenReader(query, tokenize(query));
  if (reader.peek().group === 'eof')
    throw reader.error({ start: 0, end: 0 }, 'no expression found in input');
  return reader;
}

const PRECEDENCE: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};

class Parser {
  readonly #reader: TokenReader;
  readonly #options: ParserOptions;

  constructor(reader: TokenReader, options: ParserOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  parseAll(): Expr {
    const expr = this.#binary(1);
    if (this.#reader.peek().group !== 'eof') throw this.#reader.unexpected('', '');
    return expr;
  }

  #binary(minPrecedence: number): Expr {
    return this.#reader.nested(() => {
      let left = this.#unary();
      for (let chain = 0; ; chain++) {
        const operator = this.#reader.peek();
        const precedence = operator.group === 'operator' ? PRECEDENCE[operator.type] : undefined;
        if (precedence === undefined || precedence < minPrecedence) return left;
        if (chain === MAX_CHAIN)
          throw this.#reader.error(operator, `more than ${MAX_CHAIN} operators in a row`);
        this.#reader.next();
        left = this.#binaryRest(left, operator, precedence);
      }
    });
  }

  #binaryRest(left: Expr, operator: Token, precedence: number): BinaryExpr {
    const modifiers = this.#modifiers(operator.type as BinaryOperator);
    const right = this.#binary(operator.type === '^' ? precedence : precedence + 1);
    const areVectors = typeOf(left) === 'vector' && typeOf(right) === 'vector';
    const range = { start: left.range.start, end: right.range.end };
    return {
      kind: 'binary',
      operator: operator.type as BinaryOperator,
      left,
      right,
      bool: modifiers.bool,
      matching: areVectors || isExplicit(modifiers.matching) ? modifiers.matching : null,
      range,
    };
  }

  #modifiers(operator: BinaryOperator): { bool: boolean; matching: VectorMatching } {
    const reader = this.#reader;
    const bool = reader.accept('bool');
    let on = false;
    let labels: readonly string[] = [];
    let include: readonly string[] = [];
    let cardinality: VectorMatching['cardinality'] = isSetOperator(operator)
      ? 'many-to-many'
      : 'one-to-one';
    const word = reader.peek();
    if (word.group === 'keyword' && (word.type === 'on' || word.type === 'ignoring')) {
      reader.next();
      on = word.type === 'on';
      labels = this.#groupingLabels();
      const group = reader.peek();
      if (group.group === 'keyword' && /^group_(?:left|right)$/.test(group.type)) {
        reader.next();
        cardinality = group.type === 'group_left' ? 'many-to-one' : 'one-to-many';
        if (reader.peek().type === '(') include = this.#groupingLabels();
        else if (!mayBeginExpr(reader.peek())) throw reader.unexpected('grouping opts', '"("');
      }
    }
    const fill = this.#fill();
    return { bool, matching: { cardinality, labels, on, include, ...fill } };
  }

  #fill(): { fillLeft: number | null; fillRight: number | null } {
    const reader = this.#reader;
    let fillLeft: number | null = null;
    let fillRight: number | null = null;
    for (;;) {
      const word = reader.peek();
      if (word.group !== 'keyword' || !/^fill(?:_left|_right)?$/.test(word.type)) break;
      // Without a parenthesis the word is the name of the metric on the right.
      if (reader.peekSecond().type !== '(') break;
      if (!this.#options.fillModifiers)
        throw reader.error(word, 'binop fill modifiers are experimental and not enabled');
      reader.next();
      reader.next();
      const value = this.#fillValue();
      if (word.type !== 'fill_right') fillLeft = value;
      if (word.type !== 'fill_left') fillRight = value;
      if (word.type === 'fill') break;
    }
    return { fillLeft, fillRight };
  }

  #fillValue(): number {
    const reader = this.#reader;
    const isNegative = reader.accept('-');
    if (!isNegative) reader.accept('+');
    const token = reader.peek();
    if (token.group !== 'number' && token.group !== 'duration') throw reader.unexpected('', '');
    reader.next();
    const value =
      token.group === 'number' ? readNumber(reader, token) : readDurationSeconds(reader, token);
    reader.expect(')', '', '');
    return isNegative ? -value : value;
  }

  #unary(): Expr {
    const reader = this.#reader;
    const sign = reader.peek();
    if (sign.type !== '+' && sign.type !== '-') return this.#postfix(this.#primary());
    reader.next();
    const operand = this.#binary(PRECEDENCE['^']!);
    const range = { start: sign.start, end: operand.range.end };
    if (operand.kind === 'number') {
      return { ...operand, value: sign.type === '-' ? -operand.value : operand.value, range };
    }
    return { kind: 'unary', operator: sign.type as '+' | '-', expr: operand, range };
  }

  #primary(): Expr {
    const reader = this.#reader;
    const token = reader.peek();
    const range = { start: token.start, end: token.end };
    switch (token.group) {
      case 'number':
        reader.next();
        return { kind: 'number', value: readNumber(reader, token), isDuration: false, range };
      case 'duration': {
        reader.next();
        const value = readDurationSeconds(reader, token);
        return { kind: 'number', value, isDuration: true, range };
      }
      case 'string':
        reader.next();
        return { kind: 'string', value: token.value, range };
      default:
    }
    if (token.type === '(') return this.#parentheses(token);
    if (token.type === '{') return parseVectorSelector(reader);
    if (!isMetricName(token)) throw reader.unexpected('', '');
    const second = reader.peekSecond().type;
    if (token.group === 'aggregator' && (second === '(' || second === 'by' || second === 'without'))
      return this.#aggregate();
    if (second === '(' && mayBeFunction(token)) return this.#call();
    return parseVectorSelector(reader);
  }

  #parentheses(open: Token): Expr {
    this.#reader.next();
    const expr = this.#binary(1);
    const close = this.#reader.expect(')', '', '');
    return { kind: 'parentheses', expr, range: { start: open.start, end: close.end } };
  }

  #aggregate(): AggregateExpr {
    const reader = this.#reader;
    const token = reader.next();
    const operator = token.type as AggregateOperator;
    const { before, args } = reader.inAggregation(() => {
      const modifier = this.#aggregateModifier();
      if (reader.peek().type !== '(') throw reader.unexpected('', '');
      return { before: modifier, args: this.#arguments() };
    });
    const grouping = before ?? this.#aggregateModifier();
    const range = { start: token.start, end: reader.previous().end };
    const isExperimental = operator === 'limitk' || operator === 'limit_ratio';
    if (isExperimental && !this.#options.experimentalFunctions) {
      throw reader.error(
        range,
        `${operator}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
      );
    }
    if (args.length === 0)
      throw reader.error(range, 'no arguments for aggregate expression provided');
    const wanted = PARAMETER_AGGREGATORS.has(operator) ? 2 : 1;
    if (args.length !== wanted) {
      throw reader.error(
        range,
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      );
    }
    return {
      kind: 'aggregate',
      operator,
      expr: args[wanted - 1]!,
      parameter: wanted === 2 ? args[0]! : null,
      grouping: grouping?.labels ?? [],
      without: grouping?.without ?? false,
      range,
    };
  }

  #aggregateModifier(): { labels: readonly string[]; without: boolean } | null {
    const token = this.#reader.peek();
    if (token.group !== 'keyword' || (token.type !== 'by' && token.type !== 'without')) return null;
    this.#reader.next();
    return { labels: this.#groupingLabels(), without: token.type === 'without' };
  }

  #groupingLabels(): readonly string[] {
    const reader = this.#reader;
    const labels: string[] = [];
    reader.expect('(', 'grouping opts', '"("');
    while (!reader.accept(')')) {
      labels.push(this.#groupingLabel());
      if (reader.peek().type !== ')') reader.expect(',', 'grouping opts', '"," or ")"');
    }
    return labels;
  }

  #groupingLabel(): string {
    const reader = this.#reader;
    const token = reader.peek();
    const isWord =
      token.group === 'identifier' ||
      token.group === 'metric-identifier' ||
      token.group === 'aggregator' ||
      token.group === 'keyword' ||
      token.group === 'string' ||
      (token.group === 'operator' && /^[a-z]/.test(token.type));
    if (!isWord) throw reader.unexpected('grouping opts', 'label');
    reader.next();
    const isValid = token.group === 'string' ? token.value !== '' : isLegacyLabelName(token.value);
    if (!isValid)
      throw reader.error(token, `invalid label name for grouping: ${quoteText(token.value)}`);
    return token.value;
  }

  #call(): CallExpr {
    const reader = this.#reader;
    const token = reader.next();
    const args = this.#arguments();
    // Names of functions are case-sensitive, except those that are also words of duration expressions.
    const name = token.group === 'keyword' ? token.type : token.text;
    const signature = FUNCTIONS.get(name);
    if (signature === undefined)
      throw reader.error(token, `unknown function with name ${quoteText(token.text)}`);
    if (signature.isExperimental && !this.#options.experimentalFunctions)
      throw reader.error(token, `function ${quoteText(token.text)} is not enabled`);
    const range = { start: token.start, end: reader.previous().end };
    return { kind: 'call', signature, args, range };
  }

  #arguments(): Expr[] {
    const reader = this.#reader;
    reader.next();
    const args: Expr[] = [];
    if (reader.accept(')')) return args;
    for (;;) {
      args.push(this.#binary(1));
      const token = reader.peek();
      if (reader.accept(')')) return args;
      reader.expect(',', '', '');
      if (!mayBeginExpr(reader.peek()))
        throw reader.error(token, 'trailing commas not allowed in function call args');
    }
  }

  #postfix(primary: Expr): Expr {
    const reader = this.#reader;
    let expr = primary;
    // Each modifier may be set once, so the chain is short except for nested subqueries.
    for (let count = 0; count < MAX_CHAIN; count++) {
      const token = reader.peek();
      if (token.type === '[') expr = this.#brackets(expr);
      else if (token.group === 'keyword' && token.type === 'offset') expr = this.#offset(expr);
      else if (token.group === 'operator' && token.type === '@') expr = this.#at(expr);
      else if (
        token.group === 'keyword' &&
        (token.type === 'anchored' || token.type === 'smoothed')
      ) {
        expr = this.#extended(expr, token.type);
      } else return expr;
    }
    throw reader.error(reader.peek(), `more than ${MAX_CHAIN} modifiers in a row`);
  }

  #brackets(expr: Expr): Expr {
    const reader = this.#reader;
    const open = reader.next();
    const areEnabled = this.#options.durationExpressions ?? true;
    const window = parseWindow(reader, 'subquery or range selector', areEnabled);
    if (reader.accept(':')) {
      let step: DurationValue | null = null;
      if (reader.peek().type !== ']') step = parseWindow(reader, 'subquery selector', areEnabled);
      const close = reader.expect(']', 'subquery selector', '"]"');
      const range = { start: expr.range.start, end: close.end };
      return { kind: 'subquery', expr, window, step, offset: null, at: null, range };
    }
    const close = reader.expect(']', 'subquery or range', '":" or "]"');
    const place = { start: open.start, end: close.end };
    if (expr.kind !== 'vector-selector')
      throw reader.error(place, 'ranges only allowed for vector selectors');
    if (expr.offset !== null) throw reader.error(place, 'no offset modifiers allowed before range');
    if (expr.at !== null) throw reader.error(place, 'no @ modifiers allowed before range');
    const range = { start: expr.range.start, end: close.end };
    return { kind: 'matrix-selector', selector: expr, window, range };
  }

  #offset(expr: Expr): Expr {
    const reader = this.#reader;
    reader.next();
    const offset = parseOffset(reader, this.#options.durationExpressions ?? true);
    const end = reader.previous().end;
    const range = { start: expr.range.start, end };
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector' && target.kind !== 'subquery') {
      throw reader.error(
        expr.range,
        'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      );
    }
    if (target.offset !== null && (target.offset.ms !== 0 || target.offset.expr !== null))
      throw reader.error(expr.range, 'offset may not be set multiple times');
    if (expr.kind === 'matrix-selector')
      return { ...expr, selector: { ...expr.selector, offset }, range };
    return { ...target, offset, range };
  }

  #at(expr: Expr): Expr {
    const reader = this.#reader;
    reader.next();
    const at = this.#atModifier(expr);
    const range = { start: expr.range.start, end: reader.previous().end };
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector' && target.kind !== 'subquery') {
      throw reader.error(
        expr.range,
        '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      );
    }
    if (target.at !== null)
      throw reader.error(expr.range, '@ <timestamp> may not be set multiple times');
    if (expr.kind === 'matrix-selector')
      return { ...expr, selector: { ...expr.selector, at }, range };
    return { ...target, at, range };
  }

  #atModifier(expr: Expr): AtModifier {
    const reader = this.#reader;
    const word = reader.peek();
    if (word.group === 'keyword' && (word.type === 'start' || word.type === 'end')) {
      reader.next();
      reader.expect('(', '@', 'timestamp');
      reader.expect(')', '@', 'timestamp');
      return { kind: word.type };
    }
    let sign = 1;
    if (word.type === '+' || word.type === '-') {
      reader.next();
      sign = word.type === '-' ? -1 : 1;
    }
    const token = reader.peek();
    if (token.group !== 'number' && token.group !== 'duration')
      throw reader.unexpected('@', 'timestamp');
    reader.next();
    const seconds =
      sign *
      (token.group === 'number' ? readNumber(reader, token) : readDurationSeconds(reader, token));
    if (!(Math.abs(seconds) < 2 ** 63)) {
      throw reader.error(expr.range, `timestamp out of bounds for @ modifier: ${fixed(seconds)}`);
    }
    return { kind: 'timestamp', timestampMs: Math.round(seconds * 1000) };
  }

  #extended(expr: Expr, word: 'anchored' | 'smoothed'): Expr {
    const reader = this.#reader;
    reader.next();
    if (!this.#options.extendedRangeSelectors)
      throw reader.error(expr.range, `${word} modifier is experimental and not enabled`);
    if (expr.kind === 'subquery')
      throw reader.error(expr.range, `${word} modifier is not supported for subqueries`);
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector')
      throw reader.error(expr.range, `${word} modifier not implemented`);
    if (word === 'anchored' ? target.smoothed : target.anchored)
      throw reader.error(expr.range, 'anchored and smoothed modifiers cannot be used together');
    const range = { start: expr.range.start, end: reader.previous().end };
    const selector: VectorSelector = { ...target, [word]: true };
    if (expr.kind === 'matrix-selector') return { ...expr, selector, range };
    return { ...selector, range };
  }
}

function mayBeFunction(token: Token): boolean {
  return token.group === 'identifier' || NO_KEYWORDS.has(token.type);
}

function mayBeginExpr(token: Token): boolean {
  if (['number', 'duration', 'string'].includes(token.group)) return true;
  return ['(', '{', '+', '-'].includes(token.type) || isMetricName(token);
}

/** True when the user wrote a matching, which only two vectors may have. */
function isExplicit(matching: VectorMatching): boolean {
  return (
    matching.on ||
    matching.labels.length > 0 ||
    matching.cardinality === 'many-to-one' ||
    matching.cardinality === 'one-to-many' ||
    matching.fillLeft !== null ||
    matching.fillRight !== null
  );
}

/** Go's %f. */
function fixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
