import { type Files, OperatingError, systemCode } from '@pollux/base';
import { ConfigError } from '@pollux/config';
import { decodeRuleFile, type GroupSpec, type RuleFileOptions } from './rule-file.ts';

/** A rule file larger than this is a mistake, not a configuration. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Reads all files that the `rule_files` patterns name. Patterns are paths whose last element may hold `*`, `?` and
 * `[…]`; one without such signs must exist, one with them may match nothing. The first fault ends it.
 */
export function loadRuleFiles(
  files: Files,
  patterns: readonly string[],
  options: RuleFileOptions,
): readonly GroupSpec[] {
  const groups: GroupSpec[] = [];
  const seen = new Set<string>();
  for (const pattern of patterns) {
    for (const path of matchingFiles(files, pattern)) {
      if (seen.has(path)) continue;
      seen.add(path);
      groups.push(...decodeRuleFile(readRuleFile(files, path), path, options));
    }
  }
  return groups;
}

function readRuleFile(files: Files, path: string): string {
  try {
    const bytes = files.readFile(path);
    if (bytes.length > MAX_FILE_BYTES) {
      throw new ConfigError(path, `rule file exceeds ${MAX_FILE_BYTES} bytes; split it`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (OperatingError.is(error)) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT') {
      throw new ConfigError(path, 'rule file does not exist; correct rule_files or create it', {
        cause: error,
      });
    }
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new ConfigError(path, 'rule file is not valid UTF-8', { cause: error });
    }
    throw new ConfigError(path, 'rule file cannot be read', { cause: error });
  }
}

/** Files that match, sorted; a plain path gives itself. */
export function matchingFiles(files: Files, pattern: string): string[] {
  if (!/[*?[]/.test(pattern)) return [pattern];
  const slash = pattern.lastIndexOf('/');
  const directory = slash < 0 ? '.' : slash === 0 ? '/' : pattern.slice(0, slash);
  const accepts = globMatcher(pattern.slice(slash + 1), pattern);
  let names: string[];
  try {
    names = files.list(directory);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw new ConfigError(directory, 'directory of rule files cannot be read', { cause: error });
  }
  const prefix = slash < 0 ? '' : pattern.slice(0, slash + 1);
  return names.filter(accepts).map((name) => prefix + name);
}

/** Go's filepath.Match for one path element. */
function globMatcher(glob: string, pattern: string): (name: string) => boolean {
  let source = '';
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!;
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const end = glob.indexOf(']', i + 2);
      if (end < 0) throw new ConfigError(pattern, 'rule_files: "[" without "]" in the pattern');
      const inner = glob.slice(i + 1, end).replace(/[[\]\\]/g, '\\$&');
      source += `[${inner}]`;
      i = end;
    } else source += char.replace(/[.+^${}()|\\\]]/g, '\\$&');
  }
  // Only literals, classes and single stars between them: no nested quantifier can arise.
  const regex = new RegExp(`^${source}$`, 's');
  return (name) => regex.test(name);
}
