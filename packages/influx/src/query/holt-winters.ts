import { QueryError } from '../influxql/errors.ts';
import type { Point, Transform } from './functions.ts';
import { minimize } from './nelder-mead.ts';

// Forecasts by the damped method of Holt and Winters. A model is one array of numbers, which the search changes:
//
//   0 alpha   1 beta   2 gamma   3 phi   4 level   5 trend   6… one factor per step of a season (none without seasons)

const ALPHA = 0;
const BETA = 1;
const GAMMA = 2;
const PHI = 3;
const LEVEL = 4;
const TREND = 5;
const SEASON = 6;

const FIRST_GUESSES = [0.3, 0.3 + 0.4];
const EPSILON = 1e-4;
/** The search costs some 16,000 times as much as this number of multiplications: seconds. */
const MAX_WORK = 50_000;
const MAX_FORECAST = 100_000;

/** holt_winters(…, N, S): N windows ahead of the last, with seasons of S windows; `withFit` shows the model's past as well. */
export function holtWinters(withFit: boolean): Transform {
  return (points, args, interval) => {
    const [ahead, season] = args;
    const steps = ahead?.kind === 'integer' ? Number(ahead.value) : 0;
    const length = season?.kind === 'integer' && season.value > 1n ? Number(season.value) : 0;
    const first = points[0];
    const last = points[points.length - 1];
    if (first === undefined || last === undefined || points.length < Math.max(2, length)) return [];
    if (steps > MAX_FORECAST)
      throw new QueryError(`holt_winters forecasts at most ${MAX_FORECAST} windows, got ${steps}`);
    const values = evenly(points, interval, (SEASON + length) ** 2);
    if (values.length < 2) return [];
    const model = bestModel(values, length);
    const forecast = run(model, values[0]!, values.length + steps);
    const out: Point[] = [];
    const base = withFit ? first.time : last.time + interval;
    for (let i = withFit ? 0 : values.length, step = 0n; i < forecast.length; i++, step++) {
      const value = forecast[i]!;
      if (Number.isNaN(value)) continue;
      out.push({ time: base + interval * step, value, row: null });
    }
    return out;
  };
}

/** One value per window, NaN where there is none. */
function evenly(points: readonly Point[], interval: bigint, squaredModel: number): number[] {
  const slot = (time: bigint): bigint => {
    const rest = time % interval;
    return time / interval + (rest > interval / 2n ? 1n : 0n);
  };
  const from = slot(points[0]!.time);
  const count = Number(slot(points[points.length - 1]!.time) - from) + 1;
  if (count + squaredModel > MAX_WORK) {
    throw new QueryError(
      `holt_winters fits at most ${MAX_WORK} windows less the square of the season, got ${count}; take a longer GROUP BY interval`,
    );
  }
  const values = new Array<number>(count).fill(Number.NaN);
  for (const { time, value } of points) {
    const at = Number(slot(time) - from);
    // Of values in one window the first counts.
    if (Number.isNaN(values[at])) values[at] = Number(value);
  }
  return values;
}

function bestModel(values: readonly number[], length: number): Float64Array {
  const start = firstModel(values, length);
  const cost = (model: Float64Array): number => squaredError(model, values);
  let least = Infinity;
  let best: Float64Array | null = null;
  for (const alpha of FIRST_GUESSES) {
    for (const beta of FIRST_GUESSES) {
      for (const gamma of FIRST_GUESSES) {
        for (const phi of FIRST_GUESSES) {
          start.set([alpha, beta, gamma, phi]);
          const found = minimize(cost, start, EPSILON);
          if (best !== null && !(found.least < least)) continue;
          least = found.least;
          best = found.corner;
        }
      }
    }
  }
  return best!;
}

function firstModel(values: readonly number[], length: number): Float64Array {
  const model = new Float64Array(SEASON + length);
  const isKnown = (at: number): boolean => !Number.isNaN(values[at]);
  if (length === 0) {
    model[LEVEL] = 0.5 * values[0]!;
    if (isKnown(1)) model[TREND] = 0.5 * (values[1]! - values[0]!);
    return model;
  }
  for (let i = 0; i < length; i++) if (isKnown(i)) model[LEVEL]! += (1 / length) * values[i]!;
  for (let i = 0; i < length && length + i < values.length; i++) {
    if (isKnown(i) && isKnown(length + i))
      model[TREND]! += (1 / (length * length)) * (values[length + i]! - values[i]!);
  }
  for (let i = 0; i < length; i++) if (isKnown(i)) model[SEASON + i] = values[i]! / model[LEVEL]!;
  return model;
}

/** The model's `count` values. Brings the weights back into 0…1 and leaves the factors of the season as they are at the end. */
function run(model: Float64Array, first: number, count: number): Float64Array {
  for (let i = ALPHA; i <= PHI; i++) model[i] = Math.min(1, Math.max(0, model[i]!));
  const length = model.length - SEASON;
  const [alpha, beta, gamma, phi] = [model[ALPHA]!, model[BETA]!, model[GAMMA]!, model[PHI]!];
  let level = model[LEVEL]!;
  let trend = model[TREND]!;
  let value = first;
  let damping = phi;
  const out = new Float64Array(count);
  out[0] = first;
  for (let t = 1; t < count; t++) {
    // influxd moves its place in the ring of factors by two for every step; its forecasts are kept, not the textbook's.
    const at = SEASON + (length === 0 ? 0 : (2 * (t - 1)) % length);
    const factor = length === 0 ? 1 : model[at]!;
    const next = length === 0 ? 1 : model[SEASON + ((2 * (t - 1) + (t % length)) % length)]!;
    const before = level;
    level = alpha * (value / factor) + (1 - alpha) * (before + phi * trend);
    const renewed = gamma * (value / (before + phi * trend)) + (1 - gamma) * factor;
    trend = beta * (level - before) + (1 - beta) * phi * trend;
    value = (level + damping * trend) * next;
    damping += phi ** t;
    if (length > 0) model[at] = renewed;
    out[t] = value;
  }
  return out;
}

function squaredError(model: Float64Array, values: readonly number[]): number {
  const fitted = run(model, values[0]!, values.length);
  let error = 0;
  for (const [index, value] of values.entries()) {
    if (Number.isNaN(value)) continue;
    const difference = fitted[index]! - value;
    if (Number.isNaN(difference)) return Infinity;
    error += difference * difference;
  }
  return error;
}
