import { type Decoder, list, nonEmptyString, object, optional, string } from '@pollux/config';
import type { Matcher } from '@pollux/model';
import type { MatcherMode } from '../matcher/parse.ts';
import { equalMatchers, matcherList, patternMatchers } from './matchers-config.ts';

export type InhibitRuleConfig = {
  readonly name: string;
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly equal: readonly string[];
};

export function inhibitRuleDecoder(mode: MatcherMode): Decoder<InhibitRuleConfig> {
  const fields = object({
    name: optional(string, ''),
    source_match: optional(equalMatchers, []),
    source_match_re: optional(patternMatchers, []),
    source_matchers: optional(matcherList(mode), []),
    target_match: optional(equalMatchers, []),
    target_match_re: optional(patternMatchers, []),
    target_matchers: optional(matcherList(mode), []),
    equal: optional(list(nonEmptyString), []),
  });
  return (node, path, context) => {
    const read = fields(node, path, context);
    return {
      name: read.name,
      source: [...read.source_match, ...read.source_match_re, ...read.source_matchers],
      target: [...read.target_match, ...read.target_match_re, ...read.target_matchers],
      equal: read.equal,
    };
  };
}
