/** One look at one process, bytes; the engine's own figures are NaN where its `/metrics` was not asked or did not answer. */
export type Look = {
  readonly rss: number;
  readonly pss: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
};

/** Looks of all processes between two head truncations. */
export type Cycle = ReadonlyMap<string, readonly Look[]>;

export type Growth = {
  readonly name: string;
  /** Median resident memory of each cycle, bytes. */
  readonly medians: readonly number[];
  /** Growth of each cycle over the one before it; the first is 0. */
  readonly growths: readonly number[];
};

/** Cycles up to and with this one may still grow: the code is being compiled, caches and the heap find their size. */
export const SETTLING_CYCLES = 2;
/** A settled process grows by no more than this from one cycle to the next. */
export const MAX_GROWTH = 0.01;

export function growthsOf(cycles: readonly Cycle[]): Growth[] {
  const names = [...(cycles[0]?.keys() ?? [])];
  return names.map((name) => {
    const medians = cycles.map((cycle) => medianOf((cycle.get(name) ?? []).map(({ rss }) => rss)));
    const growths = medians.map((median, i) => (i === 0 ? 0 : median / medians[i - 1]! - 1));
    return { name, medians, growths };
  });
}

/** The cycles, counted from 1, in which the process grew though it should have settled. */
export function offendingCycles({ growths }: Growth): number[] {
  return growths.flatMap((growth, i) =>
    i + 1 > SETTLING_CYCLES && growth > MAX_GROWTH ? [i + 1] : [],
  );
}

/**
 * Growth a cycle of a settled process: the slope of the least-squares line through the medians behind the settling cycles, as
 * a part of the first of them. Printed beside the steps, which are what is judged: it tells a climb from a swing.
 */
export function settledGrowth({ medians }: Growth): number {
  const settled = medians.slice(SETTLING_CYCLES - 1);
  const middle = (settled.length - 1) / 2;
  let along = 0;
  let squares = 0;
  settled.forEach((median, i) => {
    along += (i - middle) * median;
    squares += (i - middle) ** 2;
  });
  return along / squares / settled[0]!;
}

/** Of those that are numbers. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
