import type { Clock } from '@pollux/base';
import type { CommandContext } from './command.ts';

const BAR_CELLS = 30;
const DRAW_INTERVAL_MS = 200;
/** Without a terminal lines stay, so there are few of them. */
const LINE_INTERVAL_MS = 5_000;
/** Begins the line anew and clears it. */
const CLEAR = '\r\u001b[K';

/**
 * Says on stderr how far a long command is: a bar on a terminal, else a line every few seconds. Short work says nothing
 * where there is no terminal.
 */
export class Progress {
  readonly #stderr: CommandContext['stderr'];
  readonly #clock: Clock;
  #lastMs: number;
  #isDrawn = false;

  constructor({ stderr, env }: CommandContext) {
    this.#stderr = stderr;
    this.#clock = env.clock;
    this.#lastMs = env.clock.monotonic();
  }

  /** `total` 0 when it is not known. `detail` is asked only when something is shown. */
  at(what: string, done: number, total: number, detail: () => string = () => ''): void {
    const nowMs = this.#clock.monotonic();
    const { isTerminal } = this.#stderr;
    if (nowMs - this.#lastMs < (isTerminal ? DRAW_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#lastMs = nowMs;
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const percent = total > 0 ? `${Math.floor(share * 100)}%`.padStart(4) : '';
    const end = detail();
    if (!isTerminal) {
      this.#stderr.write(
        `${what}: ${[percent.trimStart(), end].filter((part) => part !== '').join(' ')}\n`,
      );
      return;
    }
    const filled = Math.round(share * BAR_CELLS);
    const bar = total > 0 ? ` [${'#'.repeat(filled).padEnd(BAR_CELLS, '.')}]${percent}` : '';
    this.#stderr.write(`${CLEAR}${what}${bar} ${end}`);
    this.#isDrawn = true;
  }

  /** Takes the bar away, before other text and at the end. */
  clear(): void {
    if (this.#isDrawn) this.#stderr.write(CLEAR);
    this.#isDrawn = false;
  }
}
