import type { Expression } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import type { Point, Transform } from './functions.ts';

// The functions of technical analysis. Each is an accumulator that takes the values in order of time and says after each what its
// figure is now; the first figures are held back until it has seen enough.

type Warmup = 'exponential' | 'simple';
type Settings = { readonly period: number; readonly warmup: Warmup };

/** `holdCount`: how many of the first figures are held back when the query does not say. */
type Indicator = { readonly holdCount: number; readonly add: (value: number) => number };

/** An average that forgets by `weight`; while it warms up, values count alike (`simple`) or by a weight that grows. */
class MovingAverage {
  value = 0;
  readonly #period: number;
  readonly #weight: number;
  readonly #warmup: Warmup;
  #count = 0;

  constructor(period: number, warmup: Warmup, weight = 2 / (period + 1)) {
    this.#period = period;
    this.#warmup = warmup;
    this.#weight = weight;
  }

  get isWarm(): boolean {
    return this.#count === this.#period;
  }

  /** Whether its figure may be passed on to an average of averages. */
  get isUsable(): boolean {
    return this.isWarm || this.#warmup === 'exponential';
  }

  add(value: number): number {
    const count = this.#count;
    if (count === 0) this.value = value;
    else if (this.isWarm) this.value = (value - this.value) * this.#weight + this.value;
    else if (this.#warmup === 'simple') this.value = (this.value * count + value) / (count + 1);
    else this.value = (value - this.value) * (2 / (count + 2)) + this.value;
    if (!this.isWarm) this.#count++;
    return this.value;
  }
}

function exponential({ period, warmup }: Settings): Indicator {
  const average = new MovingAverage(period, warmup);
  return { holdCount: period - 1, add: (value) => average.add(value) };
}

function doubleExponential({ period, warmup }: Settings): Indicator {
  const first = new MovingAverage(period, warmup);
  const second = new MovingAverage(period, warmup);
  return {
    holdCount: (period - 1) * (warmup === 'exponential' ? 1 : 2),
    add: (value) => {
      const once = first.add(value);
      const twice = first.isUsable ? second.add(once) : once;
      return 2 * once - twice;
    },
  };
}

function tripleExponential({ period, warmup }: Settings): Indicator {
  const first = new MovingAverage(period, warmup);
  const second = new MovingAverage(period, warmup);
  const third = new MovingAverage(period, warmup);
  return {
    holdCount: (period - 1) * (warmup === 'exponential' ? 1 : 3),
    add: (value) => {
      const once = first.add(value);
      const twice = first.isUsable ? second.add(once) : once;
      const thrice = second.isUsable ? third.add(twice) : twice;
      return 3 * once - 3 * twice + thrice;
    },
  };
}

/** By how many per cent the triple average changed. */
function tripleDerivative({ period, warmup }: Settings): Indicator {
  const averages = Array.from({ length: 3 }, () => new MovingAverage(period, warmup));
  let before = 0;
  return {
    holdCount: warmup === 'exponential' ? period : (period - 1) * 3 + 1,
    add: (value) => {
      let now = value;
      for (const average of averages) {
        now = average.add(now);
        if (!average.isUsable) break;
      }
      const rate = (now / before - 1) * 100;
      before = now;
      return rate;
    },
  };
}

/** Averages of rises and of falls, and what is made of the two. */
function risesAndFalls(
  { period, warmup }: Settings,
  figure: (rise: number, fall: number) => number,
): Indicator {
  const rises = new MovingAverage(period + 1, warmup, 1 / period);
  const falls = new MovingAverage(period + 1, warmup, 1 / period);
  let before = 0;
  return {
    holdCount: period,
    add: (value) => {
      const change = value - before;
      before = value;
      return figure(rises.add(Math.max(change, 0)), falls.add(Math.max(-change, 0)));
    },
  };
}

function relativeStrength(settings: Settings): Indicator {
  return risesAndFalls(settings, (rise, fall) => 100 - 100 / (1 + rise / fall));
}

/** How far the value came in `period` steps, by the way it went. */
function efficiency({ period }: Settings): Indicator {
  const values = new Float64Array(period);
  const changes = new Float64Array(period);
  let noise = 0;
  let at = 0;
  return {
    holdCount: period,
    add: (value) => {
      const oldest = (at + 1) % period;
      const signal = Math.abs(value - values[oldest]!);
      const change = Math.abs(value - values[at]!);
      noise = noise - changes[oldest]! + change;
      at = oldest;
      values[at] = value;
      changes[at] = change;
      return signal === 0 || noise === 0 ? 0 : signal / noise;
    },
  };
}

/** An average whose weight lies between those of 2 and of 30 steps, by the efficiency. */
function adaptive(settings: Settings): Indicator {
  // 2 / (2 + 1) less SLOW, rounded once.
  const FAST_LESS_SLOW = 56 / 93;
  const SLOW = 2 / (30 + 1);
  const ratio = efficiency(settings);
  let count = 0;
  let before = 0;
  let average = 0;
  return {
    holdCount: ratio.holdCount,
    add: (value) => {
      if (count <= settings.period) {
        average = before;
        count++;
      }
      before = value;
      const weight = (ratio.add(value) * FAST_LESS_SLOW + SLOW) ** 2;
      average += weight * (value - average);
      return average;
    },
  };
}

/** Rises less falls by their sum, over the last `period` values. */
function momentum({ period }: Settings): Indicator {
  const size = period - 1;
  if (size < 1)
    throw new QueryError(
      'chande_momentum_oscillator period must be greater than 1 without a warmup type',
    );
  const values = new Float64Array(size);
  const changes = new Float64Array(size);
  let rises = 0;
  let falls = 0;
  let at = 0;
  let isFirst = true;
  return {
    holdCount: size,
    add: (value) => {
      const oldest = (at + 1) % size;
      const change = isFirst ? 0 : value - values[at]!;
      isFirst = false;
      if (change > 0) rises += change;
      else falls -= change;
      const figure = rises !== 0 || falls !== 0 ? 100 * ((rises - falls) / (rises + falls)) : 0;
      const gone = changes[oldest]!;
      if (gone > 0) rises -= gone;
      else falls += gone;
      at = oldest;
      values[at] = value;
      changes[at] = change;
      return figure;
    },
  };
}

function smoothedMomentum(settings: Settings): Indicator {
  return risesAndFalls(settings, (rise, fall) => 100 * ((rise - fall) / (rise + fall)));
}

type Rule = {
  readonly open: (settings: Settings) => Indicator;
  /** For the warm-up `none`, which is then the one when the query names none. */
  readonly openPlain?: (settings: Settings) => Indicator;
  readonly hasWarmup: boolean;
  readonly leastHold: 0 | 1;
};

const INDICATORS: Readonly<Record<string, Rule>> = {
  exponential_moving_average: { open: exponential, hasWarmup: true, leastHold: 0 },
  double_exponential_moving_average: { open: doubleExponential, hasWarmup: true, leastHold: 0 },
  triple_exponential_moving_average: { open: tripleExponential, hasWarmup: true, leastHold: 0 },
  triple_exponential_derivative: { open: tripleDerivative, hasWarmup: true, leastHold: 1 },
  relative_strength_index: { open: relativeStrength, hasWarmup: true, leastHold: 0 },
  kaufmans_efficiency_ratio: { open: efficiency, hasWarmup: false, leastHold: 0 },
  kaufmans_adaptive_moving_average: { open: adaptive, hasWarmup: false, leastHold: 0 },
  chande_momentum_oscillator: {
    open: smoothedMomentum,
    openPlain: momentum,
    hasWarmup: true,
    leastHold: 0,
  },
};
/** A ring of values of this length is held per column. */
const MAX_PERIOD = 1_000_000;

export function isIndicator(name: string): boolean {
  return Object.hasOwn(INDICATORS, name);
}

/** Checks what stands behind the first argument: period, how many figures are held back, kind of warm-up. */
export function checkIndicator(call: Expression & { readonly kind: 'call' }): void {
  const { name } = call;
  const [, period, hold, warmup] = call.args;
  const rule = INDICATORS[name]!;
  const most = rule.hasWarmup ? 4 : 3;
  if (call.args.length < 2 || call.args.length > most) {
    throw new QueryError(
      `invalid number of arguments for ${name}, expected at least 2 but no more than ${most}, got ${call.args.length}`,
    );
  }
  if (period?.kind !== 'integer') throw new QueryError(`${name} period must be an integer`);
  if (period.value < 1n) throw new QueryError(`${name} period must be greater than or equal to 1`);
  if (period.value > BigInt(MAX_PERIOD))
    throw new QueryError(`${name} period must be at most ${MAX_PERIOD}`);
  if (hold !== undefined) {
    if (hold.kind !== 'integer') throw new QueryError(`${name} hold period must be an integer`);
    if (hold.value < BigInt(rule.leastHold) && hold.value !== -1n)
      throw new QueryError(
        `${name} hold period must be greater than or equal to ${rule.leastHold}`,
      );
  }
  if (warmup === undefined) return;
  if (warmup.kind !== 'string') throw new QueryError(`${name} warmup type must be a string`);
  const kinds = [...(rule.openPlain === undefined ? [] : ['none']), 'exponential', 'simple'];
  if (kinds.includes(warmup.value)) return;
  const shown = kinds.map((kind) => `'${kind}'`).join(' ');
  throw new QueryError(`${name} warmup type must be one of: ${shown}`);
}

export function indicator(name: string): Transform {
  return (points, args) => {
    const [period, hold, warmup] = args;
    const rule = INDICATORS[name]!;
    const settings: Settings = {
      period: period?.kind === 'integer' ? Number(period.value) : 1,
      warmup: warmup?.kind === 'string' && warmup.value === 'simple' ? 'simple' : 'exponential',
    };
    const isPlain =
      rule.openPlain !== undefined &&
      (warmup === undefined || (warmup.kind === 'string' && warmup.value === 'none'));
    const { add, holdCount } = isPlain ? rule.openPlain(settings) : rule.open(settings);
    const held = hold?.kind === 'integer' && hold.value >= 0n ? Number(hold.value) : holdCount;
    const out: Point[] = [];
    for (const [index, { time, value }] of points.entries()) {
      const figure = add(Number(value));
      if (index < held) continue;
      // A change against nothing has no figure.
      if (Number.isFinite(figure)) out.push({ time, value: figure, row: null });
    }
    return out;
  };
}

export const INDICATOR_NAMES: readonly string[] = Object.keys(INDICATORS);
