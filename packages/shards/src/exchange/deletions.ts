import type { Env } from '@pollux/base';
import { ShardCorruptionError } from '../errors.ts';

const FILE = 'deletions.json';
/** Clocks of those who write may be ahead of the store's by so much. */
const CLOCK_MARGIN_MS = 5 * 60_000;

/**
 * When something was last deleted from each database, so that nothing deleted comes back from a twin that still has it. On disk
 * before the deletion begins.
 */
export class Deletions {
  readonly #env: Env;
  readonly #path: string;
  readonly #lastMs: Map<string, number>;

  constructor(env: Env, directory: string) {
    this.#env = env;
    this.#path = `${directory}/${FILE}`;
    this.#lastMs = new Map(env.files.exists(this.#path) ? this.#read() : []);
  }

  #read(): [string, number][] {
    const text = new TextDecoder().decode(this.#env.files.readFile(this.#path));
    let found: unknown;
    try {
      found = JSON.parse(text);
    } catch (error) {
      throw new ShardCorruptionError(this.#path, 'is no JSON', { cause: error });
    }
    const pairs = typeof found === 'object' && found !== null ? Object.entries(found) : [];
    return pairs.filter((pair): pair is [string, number] => typeof pair[1] === 'number');
  }

  note(database: string): void {
    this.#lastMs.set(database, this.#env.clock.now());
    this.#env.files.replaceFile(
      this.#path,
      `${JSON.stringify(Object.fromEntries(this.#lastMs))}\n`,
    );
  }

  /** Whether all rows of a window that begins then are newer than the last deletion. */
  isBefore(database: string, windowStartMs: number): boolean {
    const lastMs = this.#lastMs.get(database);
    return lastMs === undefined || windowStartMs >= lastMs + CLOCK_MARGIN_MS;
  }
}
