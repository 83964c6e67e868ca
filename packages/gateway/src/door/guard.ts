import { createHash } from 'node:crypto';
import { EVERYONE, type Files, type HttpRequest, InputError, type Principal } from '@pollux/base';
import type { AuthConfig } from './host-config.ts';
import { checkPasswordHash, isPassword } from './password.ts';

/** Passwords that were found right are remembered by a digest: bcrypt is made to be slow, and clients send theirs each time. */
const MAX_KEPT = 1_000;

/** Who may come in. Built when the configuration is read, so that a missing or bad file is an error of that. */
export class Guard {
  readonly #realm: string;
  readonly #users: ReadonlyMap<string, string>;
  /** Digests, so that looking one up tells nothing by its time. */
  readonly #tokens: ReadonlySet<string>;
  readonly #right = new Set<string>();

  constructor(config: AuthConfig, files: Files) {
    this.#realm = config.realm;
    this.#users = new Map([...Object.entries(config.users), ...usersOf(config.users_file, files)]);
    const tokens = config.tokens.map((token) => token.reveal());
    this.#tokens = new Set([...tokens, ...linesOf(config.tokens_file, files)].map(digest));
  }

  /** What a refused client is told. */
  get challenge(): string {
    return `Basic realm="${this.#realm.replace(/["\\]/g, '')}"`;
  }

  /** Null for somebody who may not come in. */
  async admit({ headers }: HttpRequest): Promise<Principal | null> {
    const [, scheme = '', given = ''] = /^(\w+) +(\S+)$/.exec(headers.authorization ?? '') ?? [];
    if (scheme.toLowerCase() === 'bearer') {
      return this.#tokens.has(digest(given)) ? { ...EVERYONE, user: 'token' } : null;
    }
    if (scheme.toLowerCase() !== 'basic') return null;
    const pair = Buffer.from(given, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 0) return null;
    const user = pair.slice(0, colon);
    const hash = this.#users.get(user);
    if (hash === undefined) return null;
    const seen = digest(`${hash}\n${given}`);
    if (!this.#right.has(seen)) {
      if (!(await isPassword(pair.slice(colon + 1), hash))) return null;
      if (this.#right.size >= MAX_KEPT) this.#right.clear();
      this.#right.add(seen);
    }
    return { ...EVERYONE, user };
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function linesOf(file: string, files: Files): string[] {
  if (file === '') return [];
  return new TextDecoder()
    .decode(files.readFile(file))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function usersOf(file: string, files: Files): [string, string][] {
  return linesOf(file, files).map((line, index) => {
    const [name = '', hash = ''] = line.split(':');
    try {
      return [name, checkPasswordHash(hash)];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError('GATEWAY.BAD_USERS_FILE', `${file}: entry ${index + 1}`, error.message);
    }
  });
}
