import { InputError } from '@pollux/base';

/** A flag of a subcommand. A `switch` takes no value and knows `--no-name`; a `list` may be given several times. */
export type CommandFlag = {
  readonly kind: 'text' | 'list' | 'switch' | 'choice';
  readonly short?: string;
  readonly choices?: readonly string[];
  readonly fallback?: string;
  readonly isRequired?: boolean;
  readonly help: string;
};

export type CommandFlags = Readonly<Record<string, CommandFlag>>;

/** One subcommand: its words, flags and arguments. */
export type Subcommand<R> = {
  readonly words: readonly string[];
  readonly help: string;
  readonly flags?: CommandFlags;
  /** Names of arguments; the last may be repeated (`…` behind it) or left out (`?` behind it, or `…?`). */
  readonly args?: readonly string[];
  /** Taken when only the words before its last are given. */
  readonly isDefault?: boolean;
  readonly run: (call: Call, around: R) => Promise<number>;
};

/** Wrong arguments; `isUnknownCommand` when the subcommand itself is not there. */
export class UsageError extends InputError {
  readonly isUnknownCommand: boolean;

  constructor(message: string, isUnknownCommand = false) {
    super('ROLES.USAGE', '', message);
    this.isUnknownCommand = isUnknownCommand;
  }
}

/** What the command line said. */
export class Call {
  readonly args: readonly string[];
  readonly #flags: CommandFlags;
  readonly #given: ReadonlyMap<string, readonly string[]>;

  constructor(flags: CommandFlags, given: ReadonlyMap<string, readonly string[]>, args: string[]) {
    this.#flags = flags;
    this.#given = given;
    this.args = args;
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }

  text(name: string): string {
    return this.#given.get(name)?.at(-1) ?? this.#flags[name]?.fallback ?? '';
  }

  list(name: string): readonly string[] {
    return this.#given.get(name) ?? [];
  }

  isOn(name: string): boolean {
    return this.text(name) === 'true';
  }
}

export type CommandLine<R> = { readonly subcommand: Subcommand<R>; readonly call: Call };

/**
 * Reads flags and words in any order, as kingpin does for promtool and amtool: `--name=value`, `--name value`, `-o value`,
 * `-ovalue`, `--no-name`, `--` before arguments that start with a dash. Returns null when help was asked for. Throws
 * UsageError in kingpin's words.
 */
export function readCommandLine<R>(
  subcommands: readonly Subcommand<R>[],
  globals: CommandFlags,
  argv: readonly string[],
): CommandLine<R> | { readonly helpFor: readonly string[] } {
  const reader = new Reader(subcommands, globals);
  return reader.read(argv);
}

class Reader<R> {
  readonly #subcommands: readonly Subcommand<R>[];
  readonly #globals: CommandFlags;
  readonly #words: string[] = [];
  readonly #args: string[] = [];
  readonly #given = new Map<string, string[]>();
  #chosen: Subcommand<R> | null = null;

  constructor(subcommands: readonly Subcommand<R>[], globals: CommandFlags) {
    this.#subcommands = subcommands;
    this.#globals = globals;
  }

  read(argv: readonly string[]): CommandLine<R> | { readonly helpFor: readonly string[] } {
    let i = 0;
    const value = (shown: string): string => {
      const next = argv[++i];
      if (next === undefined) throw new UsageError(`expected argument for flag '${shown}'`);
      return next;
    };
    for (; i < argv.length; i++) {
      const token = argv[i]!;
      if (token === '--help' || token === '-h') return { helpFor: this.#words };
      if (token === '--') {
        for (const rest of argv.slice(i + 1)) this.#word(rest);
        break;
      }
      if (token.startsWith('--')) this.#longFlag(token, value);
      else if (token.startsWith('-') && token.length > 1) this.#shortFlags(token, value);
      else this.#word(token);
    }
    return this.#finish();
  }

  #longFlag(token: string, value: (shown: string) => string): void {
    const equals = token.indexOf('=');
    const name = token.slice(2, equals < 0 ? undefined : equals);
    const inline = equals < 0 ? null : token.slice(equals + 1);
    const positive = name.startsWith('no-') ? name.slice(3) : name;
    const flag = this.#flag(name);
    if (flag === undefined) {
      if (this.#flag(positive)?.kind !== 'switch')
        throw new UsageError(`unknown long flag '--${name}'`);
      this.#note(positive, 'false');
    } else if (flag.kind === 'switch') {
      if (inline !== null && inline !== 'true' && inline !== 'false')
        throw new UsageError(`--${name}: "${inline}" is neither true nor false`);
      this.#note(name, inline ?? 'true');
    } else this.#note(name, inline ?? value(`--${name}`));
  }

  #shortFlags(token: string, value: (shown: string) => string): void {
    for (let at = 1; at < token.length; at++) {
      const short = token[at]!;
      const name = this.#longOf(short);
      if (name === undefined) throw new UsageError(`unknown short flag '-${short}'`);
      if (this.#flag(name)?.kind === 'switch') {
        this.#note(name, 'true');
        continue;
      }
      const rest = token.slice(at + 1);
      this.#note(name, rest === '' ? value(`-${short}`) : rest.replace(/^=/, ''));
      return;
    }
  }

  #note(name: string, value: string): void {
    const flag = this.#flag(name);
    if (flag?.kind === 'choice' && !flag.choices?.includes(value)) {
      throw new UsageError(
        `enum value must be one of ${flag.choices?.join(',') ?? ''}, got '${value}'`,
      );
    }
    this.#given.set(name, [...(this.#given.get(name) ?? []), value]);
  }

  #word(token: string): void {
    if (this.#chosen === null && !this.#descend(token)) {
      const fallback = this.#fallback();
      if (fallback === undefined) throw unknownCommand(this.#candidates(), this.#words, token);
      this.#chosen = fallback;
    }
    if (this.#chosen !== null && this.#words.length === this.#chosen.words.length) {
      if (this.#isLastWord) this.#isLastWord = false;
      else this.#args.push(token);
    } else if (this.#chosen !== null) this.#args.push(token);
  }

  /** The token just read was the last word of the subcommand, not its argument. */
  #isLastWord = false;

  #descend(token: string): boolean {
    const depth = this.#words.length;
    if (!this.#candidates().some(({ words }) => words[depth] === token)) return false;
    this.#words.push(token);
    const exact = this.#candidates().find(({ words }) => words.length === this.#words.length);
    if (exact !== undefined) {
      this.#chosen = exact;
      this.#isLastWord = true;
    }
    return true;
  }

  #candidates(): readonly Subcommand<R>[] {
    if (this.#chosen !== null) return [this.#chosen];
    return this.#subcommands.filter(({ words }) =>
      this.#words.every((word, index) => words[index] === word),
    );
  }

  #fallback(): Subcommand<R> | undefined {
    const depth = this.#words.length;
    if (depth === 0) return undefined;
    return this.#candidates().find(
      ({ words, isDefault }) => isDefault === true && words.length === depth + 1,
    );
  }

  #flag(name: string): CommandFlag | undefined {
    if (Object.hasOwn(this.#globals, name)) return this.#globals[name];
    for (const { flags } of this.#candidates()) {
      if (flags !== undefined && Object.hasOwn(flags, name)) return flags[name];
    }
    return undefined;
  }

  #longOf(short: string): string | undefined {
    const tables = [this.#globals, ...this.#candidates().map(({ flags }) => flags ?? {})];
    for (const table of tables) {
      for (const [name, flag] of Object.entries(table)) if (flag.short === short) return name;
    }
    return undefined;
  }

  #finish(): CommandLine<R> | { readonly helpFor: readonly string[] } {
    const chosen = this.#chosen ?? this.#fallback();
    if (chosen === undefined) {
      if (this.#words.length === 0) return { helpFor: [] };
      throw unknownCommand(this.#candidates(), this.#words, '');
    }
    const flags = { ...this.#globals, ...chosen.flags };
    for (const name of this.#given.keys()) {
      if (!Object.hasOwn(flags, name)) throw new UsageError(`unknown long flag '--${name}'`);
    }
    for (const [name, flag] of Object.entries(flags)) {
      if (flag.isRequired === true && !this.#given.has(name))
        throw new UsageError(`required flag --${name} not provided`);
    }
    checkArguments(chosen.args ?? [], this.#args);
    return { subcommand: chosen, call: new Call(flags, this.#given, this.#args) };
  }
}

function unknownCommand<R>(
  candidates: readonly Subcommand<R>[],
  words: readonly string[],
  token: string,
): UsageError {
  const known = candidates.map((candidate) => candidate.words.join(' ')).join(', ');
  const what =
    token === ''
      ? `must select a subcommand of "${words.join(' ')}"`
      : `expected command but got "${token}"`;
  return new UsageError(`${what}; supported: ${known}`, true);
}

function checkArguments(names: readonly string[], given: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    if (index >= given.length && !name.endsWith('?'))
      throw new UsageError(`required argument '${name.replace('…', '')}' not provided`);
  }
  const isOpen = names.at(-1)?.includes('…') === true;
  if (!isOpen && given.length > names.length)
    throw new UsageError(`unexpected ${given[names.length]}`);
}
