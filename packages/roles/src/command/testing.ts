import type { Env } from '@pollux/base';
import type { Command, CommandContext } from './command.ts';

export type RunOptions = {
  readonly env: Env;
  readonly stdin?: string | Uint8Array;
  readonly variables?: Readonly<Record<string, string>>;
  /** Lines typed at a terminal; standard input is one when given. */
  readonly typed?: readonly string[];
  /** As ctrl-c. */
  readonly signal?: AbortSignal;
  readonly lock?: (directory: string) => () => void;
};

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs a command in place and gives what it wrote. For tests. */
export async function runInPlace(
  command: Command,
  args: readonly string[],
  options: RunOptions,
): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const history: string[] = [];
  const typed = [...(options.typed ?? [])];
  const context: CommandContext = {
    env: options.env,
    stdin: {
      isTerminal: options.typed !== undefined,
      bytes: async () =>
        typeof options.stdin === 'string'
          ? new TextEncoder().encode(options.stdin)
          : (options.stdin ?? new Uint8Array()),
    },
    stdout: {
      write: (text) => {
        stdout += text;
      },
      drained: async () => {},
    },
    stderr: {
      isTerminal: false,
      write: (text) => {
        stderr += text;
      },
      drained: async () => {},
    },
    interruptible: (work) => work(options.signal ?? new AbortController().signal),
    lock: options.lock ?? (() => () => {}),
    variables: options.variables ?? {},
    userName: 'tester',
    openTerminal: (earlier) => {
      history.push(...earlier);
      return {
        question: async (prompt, isSecret) => {
          stdout += prompt;
          const line = typed.shift() ?? null;
          if (line !== null && isSecret !== true) history.push(line);
          return line;
        },
        history: () => history,
        close: () => {},
      };
    },
  };
  const status = await command.run(context, args);
  return { status, stdout, stderr };
}
