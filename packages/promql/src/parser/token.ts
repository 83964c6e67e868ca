import { quoteText } from '@pollux/model';

/** What a token is; operators, keywords, aggregators and punctuation carry their lower-case text as `type`. */
export type TokenGroup =
  | 'eof'
  | 'error'
  | 'identifier'
  | 'metric-identifier'
  | 'string'
  | 'number'
  | 'duration'
  | 'operator'
  | 'keyword'
  | 'aggregator'
  | 'punctuation';

export type Token = {
  readonly group: TokenGroup;
  /** The canonical text (`sum`, `+`, `(`) or, for groups without one, the group's name. */
  readonly type: string;
  /** As written; for an error token its message; for a string token the literal with its quotes. */
  readonly text: string;
  /** The unquoted value of a string token, else the same as `text`. */
  readonly value: string;
  /** Offsets into the query in UTF-16 units; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
};

export const AGGREGATORS: ReadonlySet<string> = new Set([
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);

/** Operators spelled as words. */
export const WORD_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'atan2']);

export const KEYWORDS: ReadonlySet<string> = new Set([
  'offset',
  'anchored',
  'smoothed',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'bool',
  'fill',
  'fill_left',
  'fill_right',
  'start',
  'end',
  'step',
  'range',
  'min_of',
  'max_of',
]);

/** Words of `@` and of durations, which Prometheus does not call keywords; they may stand before parentheses. */
export const NO_KEYWORDS: ReadonlySet<string> = new Set([
  'start',
  'end',
  'step',
  'range',
  'min_of',
  'max_of',
]);

/** Words that can not name a metric or a label because the grammar needs them after an operator. */
const RESERVED: ReadonlySet<string> = new Set([
  'bool',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'atan2',
]);

/** True for a token that may stand where a metric name may. */
export function isMetricName(token: Token): boolean {
  switch (token.group) {
    case 'identifier':
    case 'metric-identifier':
    case 'aggregator':
      return true;
    case 'keyword':
    case 'operator':
      return /^[a-z]/.test(token.type) && !RESERVED.has(token.type);
    default:
      return false;
  }
}

/** The words Prometheus uses for a token in "unexpected …". */
export function describeToken(token: Token): string {
  switch (token.group) {
    case 'eof':
      return 'end of input';
    case 'error':
      return token.text;
    case 'identifier':
      return `identifier ${quoteText(token.text)}`;
    case 'metric-identifier':
      return `metric identifier ${quoteText(token.text)}`;
    case 'string':
      return `string ${quoteShort(token.text)}`;
    case 'number':
      return `number ${quoteShort(token.text)}`;
    case 'duration':
      return `duration ${quoteShort(token.text)}`;
    case 'operator':
      // The sign of equality in matchers is a plain item in Prometheus' table, no operator.
      return token.type === '=' ? quoteText(token.text) : `<op:${token.text}>`;
    case 'keyword':
      return NO_KEYWORDS.has(token.type) ? quoteText(token.text) : `<${token.text}>`;
    case 'aggregator':
      return `<aggr:${token.text}>`;
    case 'punctuation':
      return quoteText(token.text);
  }
}

/** Ten characters of a long token are enough to find it. */
function quoteShort(text: string): string {
  return text.length > 10 ? `${quoteText(text.slice(0, 10))}...` : quoteText(text);
}
