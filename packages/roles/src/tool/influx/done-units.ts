import { type File, type Files, OperatingError } from '@pollux/base';

/** What a copy must be of, for its file to be gone on with. */
export type CopyIdentity = { readonly from: string; readonly to: string; readonly as: string };

/**
 * The units that a copy has done, in a file of one JSON text a line: what for in the first, then a unit each. A line is synced before the
 * next unit begins, so that a copy that is broken off does at most the unit again that it was at; a line half written is none.
 */
export class DoneUnits {
  readonly #file: File | null;
  readonly #done: Set<string>;

  private constructor(file: File | null, done: Set<string>) {
    this.#file = file;
    this.#done = done;
  }

  /** An empty path keeps nothing. Throws OperatingError when the file is of another copy. */
  static open(files: Files, path: string, identity: CopyIdentity): DoneUnits {
    if (path === '') return new DoneUnits(null, new Set());
    const head = JSON.stringify(identity);
    const text = files.exists(path) ? new TextDecoder().decode(files.readFile(path)) : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [first, ...units] = whole.split('\n').filter((line) => line !== '');
    if (first !== undefined && first !== head) {
      throw new OperatingError(
        'ROLES.INFLUX_STATE',
        `${path} is of another copy (${first}); name another file, or remove it to begin anew`,
      );
    }
    const file = files.open(path, 'a');
    if (whole.length < text.length) file.truncate(Buffer.byteLength(whole));
    const done = new DoneUnits(file, new Set(units));
    if (first === undefined) done.#append(head);
    return done;
  }

  has(unit: unknown): boolean {
    return this.#done.has(JSON.stringify(unit));
  }

  add(unit: unknown): void {
    const line = JSON.stringify(unit);
    this.#done.add(line);
    this.#append(line);
  }

  close(): void {
    this.#file?.close();
  }

  #append(line: string): void {
    if (this.#file === null) return;
    const bytes = new TextEncoder().encode(`${line}\n`);
    this.#file.write(bytes, 0, bytes.length, null);
    this.#file.sync();
  }
}
