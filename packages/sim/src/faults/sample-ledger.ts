/** All that a database answers. */
export type Contents = {
  /** By series, each sample as it came. */
  readonly series: ReadonlyMap<string, readonly SampleAt[]>;
  /** The answer says of itself that something is missing. */
  readonly isPartial: boolean;
};
/** Values are compared as texts. */
export type SampleAt = { readonly timeMs: number; readonly value: string };

/** Written, or to be written. */
export type Offer = { readonly series: string; readonly timeMs: number; readonly value: string };

/** What may be found at a time of a series; null: nothing. */
type Possible = Set<string | null>;
type Cell = {
  /** As long as the machine has power. */
  live: Possible;
  /** After a power cut. */
  durable: Possible;
};

const MAX_PROBLEMS = 5;

/**
 * What a database that loses nothing acknowledged and invents nothing may answer, sample by sample, kept outside of it. An
 * operation that failed may have happened or not; what was acknowledged has.
 */
export class SampleLedger {
  readonly #series = new Map<string, Map<number, Cell>>();
  #newestMs = Number.NEGATIVE_INFINITY;

  /** Time of the newest sample ever offered. */
  get newestMs(): number {
    return this.#newestMs;
  }

  /** About to be written. */
  offer(offers: readonly Offer[]): void {
    for (const { series, timeMs, value } of offers) {
      const cell = this.#cell(series, timeMs);
      cell.live.add(value);
      cell.durable.add(value);
    }
  }

  /** Acknowledged; `isDurable` when the promise covers a power cut. */
  acknowledge(offers: readonly Offer[], isDurable: boolean): void {
    for (const { series, timeMs, value } of offers) {
      const cell = this.#cell(series, timeMs);
      cell.live = new Set([value]);
      if (isDurable) cell.durable = new Set([value]);
      else cell.durable.add(value);
    }
  }

  /** About to be deleted, or past the retention time: `covers` says which. */
  offerDeletion(covers: (series: string, timeMs: number) => boolean): void {
    this.#forEach(covers, (cell) => {
      cell.live.add(null);
      cell.durable.add(null);
    });
  }

  acknowledgeDeletion(
    covers: (series: string, timeMs: number) => boolean,
    isDurable: boolean,
  ): void {
    this.#forEach(covers, (cell) => {
      cell.live = new Set([null]);
      if (isDurable) cell.durable = new Set([null]);
      else cell.durable.add(null);
    });
  }

  /** All that was acknowledged so far is on the disk. */
  noteSync(): void {
    this.#forEach(
      () => true,
      (cell) => {
        cell.durable = new Set(cell.live);
      },
    );
  }

  notePowerCut(): void {
    this.#forEach(
      () => true,
      (cell) => {
        cell.live = new Set(cell.durable);
      },
    );
  }

  /** What is older is not looked at any more. */
  forgetBefore(boundMs: number): void {
    for (const cells of this.#series.values()) {
      for (const timeMs of cells.keys()) if (timeMs < boundMs) cells.delete(timeMs);
    }
  }

  /** What is wrong with the answer; at most a few. */
  check(contents: Contents): string[] {
    const problems: string[] = [];
    for (const [series, samples] of contents.series) {
      const cells = this.#series.get(series);
      let lastMs = Number.NEGATIVE_INFINITY;
      for (const { timeMs, value } of samples) {
        if (timeMs <= lastMs) problems.push(`${series} ${timeMs} stands behind ${lastMs}`);
        lastMs = timeMs;
        const cell = cells?.get(timeMs);
        if (cell === undefined) problems.push(`${series} ${timeMs}=${value} was never written`);
        else if (!cell.live.has(value)) {
          problems.push(`${series} ${timeMs}=${value}, not ${textOf(cell.live)}`);
        }
      }
    }
    for (const [series, cells] of contents.isPartial ? [] : this.#series) {
      const found = new Set((contents.series.get(series) ?? []).map(({ timeMs }) => timeMs));
      for (const [timeMs, { live }] of cells) {
        if (!live.has(null) && !found.has(timeMs)) {
          problems.push(`${series} ${timeMs}=${textOf(live)} is missing`);
        }
      }
    }
    const rest = problems.length - MAX_PROBLEMS;
    return rest > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${rest} more`] : problems;
  }

  /**
   * What was found is the truth from here on: it must neither vanish nor come back. Of what was not acknowledged only a power
   * cut, which `isDurable` says has just been, shows whether it is on the disk.
   */
  settle(contents: Contents, isDurable: boolean): void {
    const found = new Map<string, Map<number, string>>();
    for (const [series, samples] of contents.series) {
      found.set(series, new Map(samples.map(({ timeMs, value }) => [timeMs, value])));
    }
    for (const [series, cells] of this.#series) {
      for (const [timeMs, cell] of cells) {
        const value = found.get(series)?.get(timeMs) ?? null;
        cell.live = new Set([value]);
        if (isDurable) cell.durable = new Set([value]);
      }
    }
  }

  #cell(series: string, timeMs: number): Cell {
    let cells = this.#series.get(series);
    if (cells === undefined) {
      cells = new Map();
      this.#series.set(series, cells);
    }
    let cell = cells.get(timeMs);
    if (cell === undefined) {
      this.#newestMs = Math.max(this.#newestMs, timeMs);
      cell = { live: new Set([null]), durable: new Set([null]) };
      cells.set(timeMs, cell);
    }
    return cell;
  }

  #forEach(
    covers: (series: string, timeMs: number) => boolean,
    change: (cell: Cell) => void,
  ): void {
    for (const [series, cells] of this.#series) {
      for (const [timeMs, cell] of cells) if (covers(series, timeMs)) change(cell);
    }
  }
}

function textOf(possible: Possible): string {
  return [...possible].map((value) => value ?? 'nothing').join(' or ');
}
