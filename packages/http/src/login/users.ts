import { createHash } from 'node:crypto';
import { LimitError, Turns } from '@pollux/base';
import { isPassword } from './password-hash.ts';

/** Passwords that were found right are remembered by a digest: bcrypt is made to be slow, and clients send theirs each time. */
const MAX_KEPT = 1_000;
/** Passwords that wait to be looked at; each takes the thread for a tenth of a second. */
const MAX_WAITING = 32;

/**
 * Names and hashes of passwords, and who of them a request is from.
 *
 * How long a refusal takes does not tell whether there is a user of that name: an unknown name is compared with the hash of
 * some user, always the same one for a name, so that unknown names take as long, by their number, as known ones do.
 */
export class Users {
  readonly #hashes: ReadonlyMap<string, string>;
  readonly #standIns: readonly string[];
  /** Decides which hash an unknown name is compared with; nobody who does not know all hashes can foretell it. */
  readonly #salt: string;
  readonly #right = new Set<string>();
  /** One password after the other, so that guessing leaves the thread to others. */
  readonly #turns = new Turns();
  #waiting = 0;

  constructor(hashes: ReadonlyMap<string, string>) {
    this.#hashes = hashes;
    this.#standIns = [...hashes.values()];
    this.#salt = digest(this.#standIns.join('\n'));
  }

  get count(): number {
    return this.#hashes.size;
  }

  /**
   * The name in an `Authorization` header of the basic scheme; null where there is none or its password is wrong. Rejects with a
   * LimitError when too many passwords wait to be looked at.
   */
  async find(authorization: string | undefined): Promise<string | null> {
    const [, given = ''] = /^basic +(\S+)$/i.exec(authorization ?? '') ?? [];
    const pair = Buffer.from(given, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 0 || this.#hashes.size === 0) return null;
    const name = pair.slice(0, colon);
    const hash = this.#hashes.get(name);
    const seen = digest(`${hash}\n${given}`);
    if (this.#right.has(seen)) return name;
    const isRight = await this.#isPassword(pair.slice(colon + 1), hash ?? this.#standIn(name));
    if (!isRight || hash === undefined) return null;
    if (this.#right.size >= MAX_KEPT) this.#right.clear();
    this.#right.add(seen);
    return name;
  }

  async #isPassword(password: string, hash: string): Promise<boolean> {
    if (this.#waiting >= MAX_WAITING) {
      throw new LimitError(
        'HTTP.TOO_MANY_LOGINS',
        'authorization',
        `${MAX_WAITING} passwords wait to be looked at; try again in a second`,
      );
    }
    this.#waiting++;
    try {
      return await this.#turns.take(() => isPassword(password, hash));
    } finally {
      this.#waiting--;
    }
  }

  #standIn(name: string): string {
    const drawn = Buffer.from(digest(`${this.#salt}\n${name}`), 'base64').readUInt32LE(0);
    return this.#standIns[drawn % this.#standIns.length] ?? '';
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
