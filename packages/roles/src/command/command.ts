import type { Env } from '@pollux/base';

/** Where a command writes. `drained` resolves when the reader has caught up; await it inside long outputs. */
export interface TextOutput {
  write(text: string): void;
  drained(): Promise<void>;
}

/** A person at a terminal. */
export interface Terminal {
  /** The next line, or null at the end (ctrl-d). `isSecret` hides what is typed and keeps it out of the history. */
  question(prompt: string, isSecret?: boolean): Promise<string | null>;
  /** Lines typed so far, oldest first, with those of earlier sessions. */
  history(): readonly string[];
  close(): void;
}

/** What may stand at the end of the line, and the part of the line that it takes the place of. Never rejects. */
export type CompleteLine = (
  line: string,
) => Promise<{ readonly candidates: readonly string[]; readonly typed: string }>;

/** What a command is given; nothing of the process reaches it otherwise, so tests run it in place. */
export type CommandContext = {
  readonly env: Env;
  readonly stdin: {
    readonly isTerminal: boolean;
    /** All of it; rejects with a LimitError over `limitBytes`. */
    bytes(limitBytes: number): Promise<Uint8Array>;
  };
  readonly stdout: TextOutput;
  readonly stderr: TextOutput & { readonly isTerminal: boolean };
  /**
   * Runs the work with a signal that aborts when the person asks to end it (ctrl-c, SIGTERM); asked twice, the process ends
   * at once. Only for commands that leave something half done; others end by the signal itself.
   */
  interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Takes a data directory for this process; the returned function gives it back. Throws OperatingError when it is in use. */
  lock(directory: string): () => void;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Login name of the person. */
  readonly userName: string;
  /** `history` holds the lines of earlier sessions, oldest first; `complete` is asked when the person presses the tabulator. */
  openTerminal(history: readonly string[], complete?: CompleteLine): Terminal;
};

/** A program that runs, answers and ends, as opposed to a role. */
export type Command = {
  readonly name: string;
  readonly usage: string;
  /** Resolves with the exit status. Faults of input and of peers are written to stderr, not thrown. */
  run(context: CommandContext, args: readonly string[]): Promise<number>;
};
