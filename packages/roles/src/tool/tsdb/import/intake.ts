import type { Labels } from '@pollux/model';
import type { SampleSorter } from '@pollux/tsdb';
import type { CommandContext } from '../../../command/command.ts';
import type { Progress } from '../../../command/progress.ts';
import type { ImportedSample, SampleTarget } from './sample-source.ts';

/** Takes the samples of a source into a sorter, shows how far it is, and says at the end what was left out. */
export class Intake implements SampleTarget {
  readonly #context: CommandContext;
  readonly #sorter: SampleSorter;
  readonly #progress: Progress;
  readonly #leftOut = new Map<string, number>();

  constructor(context: CommandContext, sorter: SampleSorter, progress: Progress) {
    this.#context = context;
    this.#sorter = sorter;
    this.#progress = progress;
  }

  add(key: string, labels: () => Labels, sample: ImportedSample): void {
    this.#sorter.add(key, labels, sample);
  }

  async pause(doneBytes: number, totalBytes: number): Promise<void> {
    await this.#sorter.breathe();
    if (this.#sorter.isFull) await this.#sorter.spill();
    const { samples } = this.#sorter;
    this.#progress.at('reading', doneBytes, totalBytes, () => `${samples} samples`);
  }

  leftOut(what: string, count: number): void {
    if (count > 0) this.#leftOut.set(what, (this.#leftOut.get(what) ?? 0) + count);
  }

  /** Lines on stderr about what did not get in. */
  report(): void {
    const { stderr } = this.#context;
    for (const [what, count] of this.#leftOut) stderr.write(`left out ${count} ${what}\n`);
    const { conflicts } = this.#sorter;
    if (conflicts > 0) {
      stderr.write(
        `left out ${conflicts} samples of a series that has another value at the same time\n`,
      );
    }
  }
}
