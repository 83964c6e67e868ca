// Trigonometry and logarithms by the formulas of the Cephes library (Moshier, public domain), which Go's library and so influxd use:
// answers agree to the last digit, where JavaScript's own functions differ by one.

/** π/4 in three parts, so that multiples of it are taken off without loss. */
const QUARTER = [0.7853981256484985, 3.774894707930798e-8, 2.6951514290790595e-15];
const FOUR_BY_PI = 4 / Math.PI;
/** From here on the three parts are not enough. */
const FAR = 2 ** 29;

const SINE = [
  1.5896230157654656e-10, -2.5050747762857807e-8, 0.0000027557313621385722, -0.0001984126982958954,
  0.008333333333322118, -0.1666666666666663,
];
const COSINE = [
  -1.1358536521387682e-11, 2.087570084197473e-9, -2.755731417929674e-7, 0.000024801587288851704,
  -0.0013888888888873056, 0.041666666666666595,
];
const TANGENT_ABOVE = [-13093.693918138379, 1153516.6483858742, -17956525.197648488];
const TANGENT_BELOW = [
  1, 13681.296347069296, -1320892.3444021097, 25008380.18233579, -53869575.592945464,
];
const ARC_ABOVE = [
  -0.8750608600031904, -16.157537187333652, -75.00855792314705, -122.88666844901361,
  -64.85021904942025,
];
const ARC_BELOW = [
  1, 24.858464901423062, 165.02700983169885, 432.88106049129027, 485.3903996359137,
  194.5506571482614,
];
/** What π/2 has beyond the nearest double. */
const HALF_PI_REST = 6.123233995736766e-17;
const LOG10_OF_2 = 0.3010299956639812;

export function sin(x: number): number {
  if (!isNear(x)) return Math.sin(x);
  if (x === 0) return x;
  const { octant, rest } = reduce(Math.abs(x));
  const inHalf = octant % 4;
  const value = inHalf === 2 ? cosineOf(rest) : sineOf(rest);
  return octant >= 4 !== x < 0 ? -value : value;
}

export function cos(x: number): number {
  if (!isNear(x)) return Math.cos(x);
  const { octant, rest } = reduce(Math.abs(x));
  const value = octant % 4 === 2 ? sineOf(rest) : cosineOf(rest);
  return octant === 2 || octant === 4 ? -value : value;
}

export function tan(x: number): number {
  if (!isNear(x)) return Math.tan(x);
  if (x === 0) return x;
  const { octant, rest } = reduce(Math.abs(x));
  const square = rest * rest;
  const ratio = (square * polynomial(TANGENT_ABOVE, square)) / polynomial(TANGENT_BELOW, square);
  const near = square > 1e-14 ? rest + rest * ratio : rest;
  const value = octant % 4 === 2 ? -1 / near : near;
  return x < 0 ? -value : value;
}

export function atan(x: number): number {
  if (x < 0) return -atan(-x);
  if (!(x > 0)) return x;
  if (x <= 0.66) return arc(x);
  if (x > 1 + Math.SQRT2) return Math.PI / 2 - arc(1 / x) + HALF_PI_REST;
  return Math.PI / 4 + arc((x - 1) / (x + 1)) + 0.5 * HALF_PI_REST;
}

/** Powers of two are exact. */
export function log2(x: number): number {
  if (!(x > 0) || x === Infinity) return Math.log(x);
  let fraction = x;
  let exponent = 0;
  for (; fraction >= 1; exponent++) fraction /= 2;
  for (; fraction < 0.5; exponent--) fraction *= 2;
  return fraction === 0.5 ? exponent - 1 : Math.log(fraction) * (1 / Math.LN2) + exponent;
}

export function log10(x: number): number {
  return log2(x) * LOG10_OF_2;
}

/** NaN and infinities are not. */
function isNear(x: number): boolean {
  return Math.abs(x) < FAR;
}

/** x as an even number of eighths of the circle (0, 2, 4 or 6) and the rest. */
function reduce(x: number): { readonly octant: number; readonly rest: number } {
  const eighths = Math.floor(x * FOUR_BY_PI);
  const even = eighths + (eighths % 2);
  const rest = x - even * QUARTER[0]! - even * QUARTER[1]! - even * QUARTER[2]!;
  return { octant: even % 8, rest };
}

function sineOf(rest: number): number {
  const square = rest * rest;
  return rest + rest * square * polynomial(SINE, square);
}

function cosineOf(rest: number): number {
  const square = rest * rest;
  return 1 - 0.5 * square + square * square * polynomial(COSINE, square);
}

function arc(x: number): number {
  const square = x * x;
  return x * ((square * polynomial(ARC_ABOVE, square)) / polynomial(ARC_BELOW, square)) + x;
}

/** Highest power first. */
function polynomial(factors: readonly number[], x: number): number {
  let sum = 0;
  for (const factor of factors) sum = sum * x + factor;
  return sum;
}
