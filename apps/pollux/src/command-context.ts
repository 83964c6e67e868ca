import { userInfo } from 'node:os';
import { type Env, LimitError } from '@pollux/base';
import { lockDirectory } from '@pollux/base/node';
import type { CommandContext, TextOutput } from '@pollux/roles';
import { openTerminal } from './terminal.ts';

/** The process as commands see it. */
export function commandContext(env: Env): CommandContext {
  endQuietlyWhenTheReaderLeaves(process.stdout);
  return {
    env,
    stdin: { isTerminal: process.stdin.isTTY === true, bytes: readStdin },
    stdout: outputOf(process.stdout),
    stderr: { ...outputOf(process.stderr), isTerminal: process.stderr.isTTY === true },
    interruptible,
    lock: lockDirectory,
    variables: process.env,
    userName: userName(),
    openTerminal,
  };
}

/** Of a program that a signal ended, as shells count. */
const INTERRUPTED_STATUS = 130;

async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(INTERRUPTED_STATUS);
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await work(stop.signal);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function outputOf(stream: NodeJS.WriteStream): TextOutput {
  return {
    write: (text) => {
      if (text !== '') stream.write(text);
    },
    drained: () =>
      stream.writableNeedDrain
        ? new Promise((resolve) => stream.once('drain', () => resolve()))
        : Promise.resolve(),
  };
}

async function readStdin(limitBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of process.stdin as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > limitBytes)
      throw new LimitError('CLI.STDIN', 'stdin', `standard input exceeds ${limitBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** `pollux tool tsdb dump | head` ends like any other program of a pipe. */
function endQuietlyWhenTheReaderLeaves(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

/** Empty for a user id without a name, as in a container. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
