import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { CompleteLine, Terminal } from '@pollux/roles';

const MAX_HISTORY_LINES = 1_000;

/** Standard input and output as a line editor with history, and with completion where the command has one. */
export function openTerminal(history: readonly string[], complete?: CompleteLine): Terminal {
  return new NodeTerminal(history, complete);
}

class NodeTerminal implements Terminal {
  readonly #lines: string[];
  readonly #output: MutedOutput;
  readonly #reader: Interface;
  #isClosed = false;

  constructor(history: readonly string[], complete: CompleteLine | undefined) {
    this.#lines = history.slice(-MAX_HISTORY_LINES);
    this.#output = new MutedOutput();
    this.#reader = createInterface({
      input: process.stdin,
      output: this.#output,
      terminal: true,
      history: [...this.#lines].reverse(),
      historySize: MAX_HISTORY_LINES,
      ...(complete === undefined
        ? {}
        : {
            completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
              void complete(line).then(({ candidates, typed }) =>
                done(null, [[...candidates], typed]),
              );
            },
          }),
    });
    this.#reader.once('close', () => {
      this.#isClosed = true;
    });
  }

  question(prompt: string, isSecret = false): Promise<string | null> {
    if (this.#isClosed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const finish = (line: string | null): void => {
        this.#reader.off('close', onClose);
        this.#reader.off('SIGINT', onInterrupt);
        if (isSecret) {
          this.#output.isMuted = false;
          process.stdout.write('\n');
        } else if (line !== null && line.trim() !== '') this.#lines.push(line);
        resolve(line);
      };
      const onClose = (): void => finish(null);
      // ctrl-c drops the line being typed, as a shell does.
      const onInterrupt = (): void => {
        process.stdout.write('^C\n');
        this.#reader.write(null, { ctrl: true, name: 'u' });
        this.#reader.prompt();
      };
      this.#reader.once('close', onClose);
      this.#reader.on('SIGINT', onInterrupt);
      this.#reader.question(prompt, finish);
      this.#output.isMuted = isSecret;
    });
  }

  history(): readonly string[] {
    return this.#lines.slice(-MAX_HISTORY_LINES);
  }

  close(): void {
    this.#reader.close();
  }
}

/** Standard output, silent while a secret is typed. */
class MutedOutput extends Writable {
  isMuted = false;

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (!this.isMuted) process.stdout.write(chunk);
    done();
  }
}
