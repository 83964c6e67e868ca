import { isLegacyLabelName, METRIC_NAME, quoteText } from './labels/labels.ts';
import { Pattern } from './pattern.ts';

export type MatchOperator = '=' | '!=' | '=~' | '!~';

/** One condition on one label; an absent label counts as an empty value. */
export class Matcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
  /** Set for `=~` and `!~`. */
  readonly pattern: Pattern | null;

  /** Throws PatternError when a regular expression is no RE2. */
  constructor(name: string, operator: MatchOperator, value: string) {
    this.name = name;
    this.operator = operator;
    this.value = value;
    this.pattern = operator === '=~' || operator === '!~' ? new Pattern(value) : null;
  }

  static metric(name: string): Matcher {
    return new Matcher(METRIC_NAME, '=', name);
  }

  matches(value: string): boolean {
    switch (this.operator) {
      case '=':
        return value === this.value;
      case '!=':
        return value !== this.value;
      case '=~':
        return this.pattern!.matches(value);
      case '!~':
        return !this.pattern!.matches(value);
    }
  }

  /** True when a series without the label passes. */
  get matchesEmpty(): boolean {
    return this.matches('');
  }

  toString(): string {
    const name = isLegacyLabelName(this.name) ? this.name : quoteText(this.name);
    return `${name}${this.operator}${quoteText(this.value)}`;
  }
}

/** What a matcher asks of a label set: the value of a name, or an empty text where it has none. */
export type LabelValues = { get(name: string): string };

export function matchesAll(matchers: readonly Matcher[], labels: LabelValues): boolean {
  for (const matcher of matchers) if (!matcher.matches(labels.get(matcher.name))) return false;
  return true;
}
