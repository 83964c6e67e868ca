import { InputError } from '@pollux/base';
import { RE2JS } from 're2js';

/** A regular expression that a user wrote is no RE2, or too large. */
export class PatternError extends InputError {
  constructor(pattern: string, reason: string) {
    super('MODEL.BAD_PATTERN', '', `error parsing regexp: ${reason}: \`${pattern}\``);
  }
}

/** Longest accepted source of a pattern, in UTF-16 units; RE2 compiles in time linear to it. */
const MAX_PATTERN_LENGTH = 64 * 1024;
/** More alternatives than this are matched by the automaton instead of a set. */
const MAX_SET_SIZE = 4096;

/**
 * A fully anchored RE2 pattern with `.` matching newlines: `^(?s:…)$`, the rule for label matchers everywhere in
 * Prometheus and Alertmanager. Literals, alternations of literals, and prefix, suffix or infix forms around `.*`/`.+` are
 * matched by hand; all else by RE2JS, which is linear in the text. JavaScript's own engine is never used.
 */
export class Pattern {
  readonly source: string;
  /** When the pattern matches just these texts (at most 4,096), they are here: postings are looked up, not scanned. */
  readonly literals: readonly string[] | null;
  readonly #matches: (text: string) => boolean;

  constructor(source: string) {
    if (source.length > MAX_PATTERN_LENGTH) {
      throw new PatternError(`${source.slice(0, 40)}…`, 'expression too large');
    }
    this.source = source;
    this.literals = literalAlternatives(source);
    if (this.literals !== null) {
      const set = new Set(this.literals);
      this.#matches = (text) => set.has(text);
      return;
    }
    this.#matches = affixMatcher(source) ?? automaton(source);
  }

  matches(text: string): boolean {
    return this.#matches(text);
  }
}

const META = /[\\.+*?()|[\]{}^$]/;

function literalAlternatives(source: string): string[] | null {
  const inner = source.startsWith('(?:') && source.endsWith(')') ? source.slice(3, -1) : source;
  const parts = inner.split('|');
  if (parts.length > MAX_SET_SIZE) return null;
  return parts.some((part) => META.test(part)) ? null : parts;
}

function affixMatcher(source: string): ((text: string) => boolean) | null {
  const match = /^(\.[*+])?([^\\.+*?()|[\]{}^$]*)(\.[*+])?$/.exec(source);
  if (match === null) return null;
  const [, before, middle = '', after] = match;
  if (before === undefined && after === undefined) return null;
  const least = (before === '.+' ? 1 : 0) + (after === '.+' ? 1 : 0);
  // `.+.+` wants two characters, which one pair of surrogates is not.
  if (middle === '') return least === 2 ? null : (text) => text.length >= least;
  if (before === undefined)
    return (text) => text.startsWith(middle) && text.length >= middle.length + least;
  if (after === undefined)
    return (text) => text.endsWith(middle) && text.length >= middle.length + least;
  const from = before === '.+' ? 1 : 0;
  return (text) => {
    const at = text.indexOf(middle, from);
    if (at < 0) return false;
    return after === '.*' || at + middle.length < text.length;
  };
}

function automaton(source: string): (text: string) => boolean {
  // Compiled on its own, as Prometheus does: `a)|(b` must not slip out of the anchors.
  const compiled = compileRe2(source, source, RE2JS.DOTALL);
  return (text) => compiled.testExact(text);
}

/** Compiles under RE2's rules or throws {@link PatternError}; `shown` is quoted where the message is about the whole. */
export function compileRe2(source: string, shown = source, flags = 0): RE2JS {
  try {
    return RE2JS.compile(source, flags);
  } catch (error) {
    throw re2Error(error instanceof Error ? error.message : String(error), source, shown);
  }
}

/** RE2JS names the part that it does not take, as Go does. */
function re2Error(message: string, source: string, shown: string): PatternError {
  const match = /^(?:error parsing regexp: )?(.*?)(?:: `(.*)`)?$/s.exec(message);
  const [, reason = message, part = source] = match ?? [];
  // Of a lone backslash at the end Go quotes nothing.
  if (reason.startsWith('trailing backslash')) return new PatternError('', reason);
  // The flag for dots that match newlines stands before a whole pattern.
  const isWhole = part === source || part === `(?s)${source}`;
  return new PatternError(isWhole ? shown : part, reason);
}
