import { type Files, systemCode } from '@pollux/base';
import type { Variables } from '../build-options.ts';

/** One profile's settings under the names of the files, in small letters. */
export type AwsProfile = ReadonlyMap<string, string>;

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The files that AWS' programs share: `~/.aws/config` and `~/.aws/credentials`, or those that `AWS_CONFIG_FILE` and
 * `AWS_SHARED_CREDENTIALS_FILE` name. They are read anew each time. What `credentials` says wins.
 */
export class SharedFiles {
  readonly #files: Files;
  readonly #variables: Variables;

  constructor(files: Files, variables: Variables) {
    this.#files = files;
    this.#variables = variables;
  }

  /** The profile of the environment, or that which is used when nothing is said. */
  get usualProfile(): string {
    return this.#variables.AWS_PROFILE || this.#variables.AWS_DEFAULT_PROFILE || 'default';
  }

  /** Null where neither file has it. */
  profile(name: string): AwsProfile | null {
    const home = this.#variables.HOME || this.#variables.USERPROFILE || '';
    const config = this.#sections(this.#variables.AWS_CONFIG_FILE || `${home}/.aws/config`);
    const credentials = this.#sections(
      this.#variables.AWS_SHARED_CREDENTIALS_FILE || `${home}/.aws/credentials`,
    );
    const found = [
      ...(name === 'default' ? [config.get('default')] : []),
      config.get(`profile ${name}`),
      credentials.get(name),
    ].filter((section) => section !== undefined);
    return found.length === 0 ? null : new Map(found.flatMap((section) => [...section]));
  }

  /** A file that is not there has no sections. */
  #sections(path: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
    try {
      if (this.#files.stat(path).size > MAX_FILE_BYTES) return new Map();
      return iniSections(new TextDecoder().decode(this.#files.readFile(path)));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return new Map();
      throw error;
    }
  }
}

/**
 * `[section]` and `name = value` lines. Lines that begin with `#` or `;` are comments, as is what follows them behind a
 * blank; indented lines belong to the setting above, and no such setting is used here.
 */
function iniSections(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | null = null;
  for (const line of text.split(/\r?\n/)) {
    const [, title] = /^\[\s*([^\]]+?)\s*\]/.exec(line) ?? [];
    if (title !== undefined) {
      const name = title.replace(/\s+/g, ' ').replace(/^(profile )?"(.*)"$/, '$1$2');
      current = sections.get(name) ?? new Map<string, string>();
      sections.set(name, current);
      continue;
    }
    const [, key, value] = /^([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (current === null || key === undefined || value === undefined) continue;
    current.set(key.toLowerCase(), value.replace(/\s[#;].*$/, '').trim());
  }
  return sections;
}
