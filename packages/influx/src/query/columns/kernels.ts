import { wordsOf } from '@pollux/model';
import type { ColumnData } from '@pollux/storage';
import type { Cell } from '../result.ts';
import type { Lanes } from './lanes.ts';
import type { Runs } from './runs.ts';

/** Adds the runs of a column to what was found before: of the same series, or of others of its group. */
type Add = (lanes: Lanes, data: ColumnData, runs: Runs) => void;

/** A function of windows; `cellOf` is asked only for windows in which a value was seen. */
export type Kernel = {
  readonly add: Add;
  readonly cellOf: (lanes: Lanes, window: number) => Cell;
  /** Whether `timesMs` and `nanos` say where the value was found. */
  readonly hasTimes: boolean;
};

export type KernelKind = 'float' | 'integer';

const TWO_32 = 4_294_967_296;

// Kernels go over typed arrays and make no object. Floats that are not finite count as missing (`v - v` is 0 only of finite ones). Whole
// numbers are two words of 32 bits, low and high: sums of words stay exact in a double for more rows than a run has, comparisons look at
// the high word first.

/** Sums start here: minus zero leaves every number as it is, itself too. */
const NOTHING = -0;

function countFloats(lanes: Lanes, { cells }: ColumnData, runs: Runs): void {
  const { counts } = lanes;
  for (let run = 0; run < runs.count; run++) {
    const end = runs.starts[run + 1]!;
    let count = 0;
    for (let row = runs.starts[run]!; row < end; row++) {
      const value = cells[row]!;
      if (value - value === 0) count++;
    }
    counts[runs.windows[run]!]! += count;
  }
}

function countRows(lanes: Lanes, _data: ColumnData, runs: Runs): void {
  const { counts } = lanes;
  for (let run = 0; run < runs.count; run++) {
    counts[runs.windows[run]!]! += runs.starts[run + 1]! - runs.starts[run]!;
  }
}

function sumFloats(lanes: Lanes, { cells }: ColumnData, runs: Runs): void {
  const { counts, values } = lanes;
  for (let run = 0; run < runs.count; run++) {
    const end = runs.starts[run + 1]!;
    let count = 0;
    let sum = NOTHING;
    for (let row = runs.starts[run]!; row < end; row++) {
      const value = cells[row]!;
      if (value - value !== 0) continue;
      sum += value;
      count++;
    }
    if (count === 0) continue;
    const window = runs.windows[run]!;
    values[window] = counts[window] === 0 ? sum : values[window]! + sum;
    counts[window]! += count;
  }
}

/** Wraps at 64 bits. */
function sumIntegers(lanes: Lanes, { cells }: ColumnData, runs: Runs): void {
  const { counts, words } = lanes;
  const source = wordsOf(cells);
  for (let run = 0; run < runs.count; run++) {
    const end = runs.starts[run + 1]!;
    const window = runs.windows[run]!;
    const isFirst = counts[window] === 0;
    let low = isFirst ? 0 : words[window * 2]!;
    let high = isFirst ? 0 : words[window * 2 + 1]!;
    for (let row = runs.starts[run]!; row < end; row++) {
      low += source[row * 2]!;
      high += source[row * 2 + 1]!;
    }
    words[window * 2] = low;
    words[window * 2 + 1] = high + Math.floor(low / TWO_32);
    counts[window]! += end - runs.starts[run]!;
  }
}

/** The least or the greatest; of equal ones that of the earliest time. */
function bestFloat(isMax: boolean): Add {
  return (lanes, data, runs) => {
    const { cells } = data;
    const { counts, values } = lanes;
    for (let run = 0; run < runs.count; run++) {
      const end = runs.starts[run + 1]!;
      let found = -1;
      let best = 0;
      for (let row = runs.starts[run]!; row < end; row++) {
        const value = cells[row]!;
        if (value - value !== 0) continue;
        if (found >= 0 && !(isMax ? value > best : value < best)) continue;
        best = value;
        found = row;
      }
      if (found < 0) continue;
      const window = runs.windows[run]!;
      if (counts[window] !== 0) {
        const held = values[window]!;
        if (isMax ? best < held : best > held) continue;
        if (best === held && !isEarlier(lanes, window, data, found)) continue;
      }
      values[window] = best;
      hold(lanes, window, data, found);
    }
  };
}

function bestInteger(isMax: boolean): Add {
  return (lanes, data, runs) => {
    const source = wordsOf(data.cells);
    const { counts, words } = lanes;
    for (let run = 0; run < runs.count; run++) {
      const end = runs.starts[run + 1]!;
      let found = runs.starts[run]!;
      for (let row = found + 1; row < end; row++) {
        const order = compareWords(source, row, source, found);
        if (isMax ? order > 0 : order < 0) found = row;
      }
      const window = runs.windows[run]!;
      if (counts[window] !== 0) {
        const order = compareWords(source, found, words, window);
        if (isMax ? order < 0 : order > 0) continue;
        if (order === 0 && !isEarlier(lanes, window, data, found)) continue;
      }
      words[window * 2] = source[found * 2]!;
      words[window * 2 + 1] = source[found * 2 + 1]!;
      hold(lanes, window, data, found);
    }
  };
}

/** The value of the earliest or latest time; of equal times the greater. */
function endFloat(isLast: boolean): Add {
  return (lanes, data, runs) => {
    const { cells } = data;
    const { counts, values } = lanes;
    for (let run = 0; run < runs.count; run++) {
      const from = runs.starts[run]!;
      const end = runs.starts[run + 1]!;
      const step = isLast ? -1 : 1;
      let row = isLast ? end - 1 : from;
      while (row >= from && row < end && cells[row]! - cells[row]! !== 0) row += step;
      if (row < from || row >= end) continue;
      const window = runs.windows[run]!;
      if (counts[window] !== 0) {
        const order = compareTimes(lanes, window, data, row);
        if (isLast ? order < 0 : order > 0) continue;
        if (order === 0 && !(values[window]! < cells[row]!)) continue;
      }
      values[window] = cells[row]!;
      hold(lanes, window, data, row);
    }
  };
}

function endInteger(isLast: boolean): Add {
  return (lanes, data, runs) => {
    const source = wordsOf(data.cells);
    const { counts, words } = lanes;
    for (let run = 0; run < runs.count; run++) {
      const row = isLast ? runs.starts[run + 1]! - 1 : runs.starts[run]!;
      const window = runs.windows[run]!;
      if (counts[window] !== 0) {
        const order = compareTimes(lanes, window, data, row);
        if (isLast ? order < 0 : order > 0) continue;
        if (order === 0 && compareWords(words, window, source, row) >= 0) continue;
      }
      words[window * 2] = source[row * 2]!;
      words[window * 2 + 1] = source[row * 2 + 1]!;
      hold(lanes, window, data, row);
    }
  };
}

/** `values` has the least, `others` the greatest. */
function spreadFloats(lanes: Lanes, { cells }: ColumnData, runs: Runs): void {
  const { counts, values, others } = lanes;
  for (let run = 0; run < runs.count; run++) {
    const end = runs.starts[run + 1]!;
    const window = runs.windows[run]!;
    let hasAny = counts[window] !== 0;
    let least = hasAny ? values[window]! : 0;
    let most = hasAny ? others[window]! : 0;
    for (let row = runs.starts[run]!; row < end; row++) {
      const value = cells[row]!;
      if (value - value !== 0) continue;
      if (!hasAny || value < least) least = value;
      if (!hasAny || value > most) most = value;
      hasAny = true;
    }
    if (!hasAny) continue;
    values[window] = least;
    others[window] = most;
    counts[window] = 1;
  }
}

function spreadIntegers(lanes: Lanes, data: ColumnData, runs: Runs): void {
  const source = wordsOf(data.cells);
  const { counts, words, otherWords } = lanes;
  for (let run = 0; run < runs.count; run++) {
    const end = runs.starts[run + 1]!;
    const window = runs.windows[run]!;
    let least = runs.starts[run]!;
    let most = least;
    for (let row = least + 1; row < end; row++) {
      if (compareWords(source, row, source, least) < 0) least = row;
      if (compareWords(source, row, source, most) > 0) most = row;
    }
    const isFirst = counts[window] === 0;
    if (isFirst || compareWords(source, least, words, window) < 0) {
      words[window * 2] = source[least * 2]!;
      words[window * 2 + 1] = source[least * 2 + 1]!;
    }
    if (isFirst || compareWords(source, most, otherWords, window) > 0) {
      otherWords[window * 2] = source[most * 2]!;
      otherWords[window * 2 + 1] = source[most * 2 + 1]!;
    }
    counts[window] = 1;
  }
}

function hold(lanes: Lanes, window: number, data: ColumnData, row: number): void {
  lanes.counts[window] = 1;
  lanes.timesMs[window] = data.timesMs[row]!;
  lanes.nanos[window] = data.nanos === null ? 0 : data.nanos[row]!;
}

/** Negative where the row lies before what is held. */
function compareTimes(lanes: Lanes, window: number, data: ColumnData, row: number): number {
  const difference = data.timesMs[row]! - lanes.timesMs[window]!;
  if (difference !== 0) return difference;
  return (data.nanos === null ? 0 : data.nanos[row]!) - lanes.nanos[window]!;
}

function isEarlier(lanes: Lanes, window: number, data: ColumnData, row: number): boolean {
  return compareTimes(lanes, window, data, row) < 0;
}

/** Of int64 number `i` and `j`: high words signed, low words not. */
function compareWords(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  const high = (a[i * 2 + 1]! | 0) - (b[j * 2 + 1]! | 0);
  return high !== 0 ? high : a[i * 2]! - b[j * 2]!;
}

const countOf = ({ counts }: Lanes, window: number): Cell => BigInt(counts[window]!);
const floatOf = ({ values }: Lanes, window: number): Cell => values[window]!;
const integerOf = ({ integers }: Lanes, window: number): Cell => integers[window]!;

function selector(floats: Add, whole: Add): Readonly<Record<KernelKind, Kernel>> {
  return {
    float: { add: floats, cellOf: floatOf, hasTimes: true },
    integer: { add: whole, cellOf: integerOf, hasTimes: true },
  };
}

/** By function and the type of the field. */
export const KERNELS: Readonly<Record<string, Readonly<Record<KernelKind, Kernel>>>> = {
  count: {
    float: { add: countFloats, cellOf: countOf, hasTimes: false },
    integer: { add: countRows, cellOf: countOf, hasTimes: false },
  },
  sum: {
    float: { add: sumFloats, cellOf: floatOf, hasTimes: false },
    integer: { add: sumIntegers, cellOf: integerOf, hasTimes: false },
  },
  mean: {
    float: {
      add: sumFloats,
      cellOf: ({ values, counts }, window) => values[window]! / counts[window]!,
      hasTimes: false,
    },
    integer: {
      add: sumIntegers,
      cellOf: ({ integers, counts }, window) => Number(integers[window]!) / counts[window]!,
      hasTimes: false,
    },
  },
  spread: {
    float: {
      add: spreadFloats,
      cellOf: ({ values, others }, window) => others[window]! - values[window]!,
      hasTimes: false,
    },
    integer: {
      add: spreadIntegers,
      cellOf: ({ integers, otherIntegers }, window) =>
        BigInt.asIntN(64, otherIntegers[window]! - integers[window]!),
      hasTimes: false,
    },
  },
  min: selector(bestFloat(false), bestInteger(false)),
  max: selector(bestFloat(true), bestInteger(true)),
  first: selector(endFloat(false), endInteger(false)),
  last: selector(endFloat(true), endInteger(true)),
};
