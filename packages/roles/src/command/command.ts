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

/** What a command is given; nothing of the process reaches it otherwise, so tests run it in place. */
export type CommandContext = {
  readonly env: Env;
  readonly stdin: {
    readonly isTerminal: boolean;
    /** All of it; rejects with a LimitError over `limitBytes`. */
    bytes(limitBytes: number): Promise<Uint8Array>;
  };
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Login name of the person. */
  readonly userName: string;
  /** `history` holds the lines of earlier sessions, oldest first. */
  openTerminal(history: readonly string[]): Terminal;
};

/** A program that runs, answers and ends, as opposed to a role. */
export type Command = {
  readonly name: string;
  readonly usage: string;
  /** Resolves with the exit status. Faults of input and of peers are written to stderr, not thrown. */
  run(context: CommandContext, args: readonly string[]): Promise<number>;
};
