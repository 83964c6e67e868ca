import { compileRe2, expandTemplate, PatternError } from '@pollux/model';
import { QueryError } from '../errors.ts';

/** Text for a value of the source label; null where the expression does not match it. */
type Replace = (value: string) => string | null;

const MAX_KEPT = 50;
/** Values of one replacement, and UTF-16 units of each, so that all that is kept is some MB at most. */
const MAX_VALUES = 500;
const MAX_LENGTH = 200;

/**
 * What `label_replace` makes of values. Compiling an expression costs as much as a small query, and a match with groups several
 * microseconds, so both are kept for the queries that come next.
 */
export class LabelReplacements {
  /** In the order of use, the latest last. */
  readonly #kept = new Map<string, Replace>();

  /** Throws QueryError when the expression is no RE2. */
  of(regex: string, replacement: string): Replace {
    const key = JSON.stringify([regex, replacement]);
    const kept = this.#kept.get(key) ?? remembering(replacing(regex, replacement));
    this.#kept.delete(key);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(key, kept);
    return kept;
  }
}

function replacing(regex: string, replacement: string): Replace {
  const program = compile(regex);
  return (value) => {
    const matcher = program.matcher(value);
    if (!matcher.find()) return null;
    return expandTemplate(replacement, (name) => {
      if (/^\d+$/.test(name)) {
        const index = Number(name);
        return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
      }
      return program.namedGroups()[name] === undefined ? '' : (matcher.group(name) ?? '');
    });
  };
}

function remembering(replace: Replace): Replace {
  const known = new Map<string, string | null>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const made = replace(value);
    if (known.size < MAX_VALUES && value.length + (made?.length ?? 0) <= MAX_LENGTH) {
      known.set(value, made);
    }
    return made;
  };
}

function compile(regex: string): ReturnType<typeof compileRe2> {
  try {
    return compileRe2(`^(?s:${regex})$`, regex);
  } catch (error) {
    if (error instanceof PatternError) {
      throw QueryError.execution(`invalid regular expression in label_replace(): ${regex}`);
    }
    throw error;
  }
}
