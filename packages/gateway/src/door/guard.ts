import { createHash } from 'node:crypto';
import { EVERYONE, type Files, type HttpRequest, InputError, type Principal } from '@pollux/base';
import { checkPasswordHash, Users } from '@pollux/http/login';
import type { AuthConfig } from './host-config.ts';

/** Who may come in. Built when the configuration is read, so that a missing or bad file is an error of that. */
export class Guard {
  readonly #realm: string;
  readonly #users: Users;
  /** Digests, so that looking one up tells nothing by its time. */
  readonly #tokens: ReadonlySet<string>;

  constructor(config: AuthConfig, files: Files) {
    this.#realm = config.realm;
    this.#users = new Users(
      new Map([...Object.entries(config.users), ...usersOf(config.users_file, files)]),
    );
    const tokens = config.tokens.map((token) => token.reveal());
    this.#tokens = new Set([...tokens, ...linesOf(config.tokens_file, files)].map(digest));
  }

  /** What a refused client is told. */
  get challenge(): string {
    return `Basic realm="${this.#realm.replace(/["\\]/g, '')}"`;
  }

  /** Null for somebody who may not come in; rejects with a LimitError when too many passwords wait. */
  async admit({ headers }: HttpRequest): Promise<Principal | null> {
    const [, token] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (token !== undefined) {
      return this.#tokens.has(digest(token)) ? { ...EVERYONE, user: 'token' } : null;
    }
    const user = await this.#users.find(headers.authorization);
    return user === null ? null : { ...EVERYONE, user };
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
