import { containsTime, type TimeInterval } from './time-interval.ts';

/** The named intervals of a configuration. */
export class TimeIntervals {
  readonly #byName: ReadonlyMap<string, readonly TimeInterval[]>;

  constructor(
    named: Iterable<{ readonly name: string; readonly intervals: readonly TimeInterval[] }>,
  ) {
    this.#byName = new Map([...named].map(({ name, intervals }) => [name, intervals]));
  }

  /** Those of `names` that hold at `timeMs`. */
  holding(names: readonly string[], timeMs: number): string[] {
    return names.filter((name) =>
      (this.#byName.get(name) ?? []).some((interval) => containsTime(interval, timeMs)),
    );
  }
}
