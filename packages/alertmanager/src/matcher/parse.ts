import { defined, OperatingError } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import { MatcherError } from '../errors.ts';
import { parseClassicMatcher, parseClassicMatchers } from './parse-classic.ts';
import { parseUtf8Matchers } from './parse-utf8.ts';

/** `fallback` is the default: UTF-8 first, the classic grammar where only it understands or where the two disagree. */
export type MatcherMode = 'fallback' | 'classic' | 'utf8';

export type ParsedMatchers = {
  readonly matchers: readonly Matcher[];
  /** Set when the input should be rewritten to mean the same in future versions. */
  readonly warning: string | null;
};

/** Throws MatcherError or PatternError. */
export function parseMatchers(text: string, mode: MatcherMode): ParsedMatchers {
  return parsed(text, mode, { utf8: parseUtf8Matchers, classic: parseClassicMatchers });
}

/** A single one, without braces; by the classic grammar its value may hold commas. Throws MatcherError or PatternError. */
export function parseMatcher(text: string, mode: MatcherMode): Matcher {
  if (mode !== 'classic' && (text.startsWith('{') || text.endsWith('}'))) {
    throw new MatcherError(`unexpected open or close brace: ${text}`);
  }
  const { matchers } = parsed(text, mode, {
    utf8: singleUtf8Matcher,
    classic: (one) => [parseClassicMatcher(one)],
  });
  return defined(matchers[0], 'a single matcher');
}

function singleUtf8Matcher(text: string): readonly Matcher[] {
  const matchers = parseUtf8Matchers(text);
  if (matchers.length !== 1) {
    throw new MatcherError(`expected 1 matcher, found ${matchers.length}: ${text}`);
  }
  return matchers;
}

type Grammars = Readonly<Record<'utf8' | 'classic', (text: string) => readonly Matcher[]>>;

function parsed(text: string, mode: MatcherMode, grammars: Grammars): ParsedMatchers {
  if (mode !== 'fallback') return { matchers: grammars[mode](text), warning: null };
  const utf8 = attempt(() => grammars.utf8(text));
  const classic = attempt(() => grammars.classic(text));
  if (classic.matchers === null) {
    if (utf8.matchers === null) throw classic.error;
    return { matchers: utf8.matchers, warning: null };
  }
  if (utf8.matchers === null) {
    return {
      matchers: classic.matchers,
      warning: `"${text}" is understood by the old matcher grammar only; quote the value`,
    };
  }
  if (spell(utf8.matchers) === spell(classic.matchers)) {
    return { matchers: classic.matchers, warning: null };
  }
  return {
    matchers: classic.matchers,
    warning: `"${text}" means different matchers in the old and the new grammar; the old one is used`,
  };
}

type Attempt =
  | { readonly matchers: readonly Matcher[]; readonly error: null }
  | { readonly matchers: null; readonly error: OperatingError };

function attempt(parse: () => readonly Matcher[]): Attempt {
  try {
    return { matchers: parse(), error: null };
  } catch (error) {
    if (OperatingError.is(error)) return { matchers: null, error };
    throw error;
  }
}

function spell(matchers: readonly Matcher[]): string {
  return JSON.stringify(matchers.map(({ name, operator, value }) => [name, operator, value]));
}
