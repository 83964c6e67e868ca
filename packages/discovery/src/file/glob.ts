import type { Files } from '@pollux/base';

/** Files that match a path whose last element may hold `*`, `?` and `[…]`, as Go's filepath.Glob; sorted. */
export function expandGlob(files: Files, pattern: string): string[] {
  const at = pattern.lastIndexOf('/');
  const directory = at < 0 ? '.' : at === 0 ? '/' : pattern.slice(0, at);
  const last = pattern.slice(at + 1);
  if (!/[*?[]/.test(last)) return files.exists(pattern) ? [pattern] : [];
  if (!files.exists(directory)) return [];
  const expression = globExpression(last);
  const prefix = pattern.slice(0, at + 1);
  return files
    .list(directory)
    .filter((name) => matchesGlob(expression, name))
    .map((name) => prefix + name);
}

/** The folder that holds everything the pattern can match. */
export function directoryOf(pattern: string): string {
  const at = pattern.lastIndexOf('/');
  return at < 0 ? '.' : at === 0 ? '/' : pattern.slice(0, at);
}

type GlobPart =
  | { readonly kind: 'star' }
  | { readonly kind: 'one'; readonly accepts: (char: string) => boolean };

function globExpression(glob: string): readonly GlobPart[] {
  const parts: GlobPart[] = [];
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!;
    if (char === '*') {
      parts.push({ kind: 'star' });
    } else if (char === '?') {
      parts.push({ kind: 'one', accepts: () => true });
    } else if (char === '[' && glob.indexOf(']', i + 2) > 0) {
      const end = glob.indexOf(']', i + 2);
      const set = glob.slice(i + 1, end);
      parts.push({ kind: 'one', accepts: (candidate) => isInSet(set, candidate) });
      i = end;
    } else {
      const literal = char === '\\' && i + 1 < glob.length ? glob[++i]! : char;
      parts.push({ kind: 'one', accepts: (candidate) => candidate === literal });
    }
  }
  return parts;
}

function isInSet(set: string, char: string): boolean {
  const isNegated = set.startsWith('^');
  const body = isNegated ? set.slice(1) : set;
  let isFound = false;
  for (let i = 0; i < body.length; i++) {
    if (body[i + 1] === '-' && i + 2 < body.length) {
      if (char >= body[i]! && char <= body[i + 2]!) isFound = true;
      i += 2;
    } else if (body[i] === char) {
      isFound = true;
    }
  }
  return isFound !== isNegated;
}

/** Greedy with one point to fall back to: time is at most pattern × name. */
function matchesGlob(parts: readonly GlobPart[], name: string): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = parts[part];
    if (current?.kind === 'one' && current.accepts(name[at]!)) {
      part++;
      at++;
    } else if (current?.kind === 'star') {
      star = part++;
      starAt = at;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (parts[part]?.kind === 'star') part++;
  return part === parts.length;
}
