import { type Decoder, object, optional, string } from '@pollux/config';
import type { Matcher } from '@pollux/model';
import type { MatcherMode } from '../matcher/parse.ts';
import {
  equalMatchers,
  labelNameList,
  matcherList,
  NO_MATCHERS,
  patternMatchers,
} from './matchers-config.ts';

export type InhibitRuleConfig = {
  readonly name: string;
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly equal: readonly string[];
  /** The two sides as written, for the re-marshalled configuration. */
  readonly written: {
    readonly source: WrittenSide;
    readonly target: WrittenSide;
  };
};

/** One side of a rule: the deprecated maps and the list of matchers. */
export type WrittenSide = {
  readonly match: Readonly<Record<string, string>>;
  readonly matchRe: Readonly<Record<string, string>>;
  readonly matchers: readonly Matcher[];
};

export function inhibitRuleDecoder(mode: MatcherMode): Decoder<InhibitRuleConfig> {
  const fields = object({
    name: optional(string, ''),
    source_match: optional(equalMatchers, NO_MATCHERS),
    source_match_re: optional(patternMatchers, NO_MATCHERS),
    source_matchers: optional(matcherList(mode), []),
    target_match: optional(equalMatchers, NO_MATCHERS),
    target_match_re: optional(patternMatchers, NO_MATCHERS),
    target_matchers: optional(matcherList(mode), []),
    equal: optional(labelNameList(mode, 'equal list'), []),
  });
  return (node, path, context) => {
    const read = fields(node, path, context);
    return {
      name: read.name,
      source: [
        ...read.source_match.matchers,
        ...read.source_match_re.matchers,
        ...read.source_matchers,
      ],
      target: [
        ...read.target_match.matchers,
        ...read.target_match_re.matchers,
        ...read.target_matchers,
      ],
      equal: read.equal,
      written: {
        source: {
          match: read.source_match.written,
          matchRe: read.source_match_re.written,
          matchers: read.source_matchers,
        },
        target: {
          match: read.target_match.written,
          matchRe: read.target_match_re.written,
          matchers: read.target_matchers,
        },
      },
    };
  };
}
