/** A function of one float and up to two scalar parameters, applied value by value. */
export type ElementFunction = (value: number, first: number, second: number) => number;

const DAY_S = 86_400;

/** Functions that map each float on its own; the result loses its name. */
export const ELEMENT_FUNCTIONS: ReadonlyMap<string, ElementFunction> = new Map<
  string,
  ElementFunction
>([
  ['abs', Math.abs],
  ['acos', Math.acos],
  ['acosh', Math.acosh],
  ['asin', Math.asin],
  ['asinh', Math.asinh],
  ['atan', Math.atan],
  ['atanh', Math.atanh],
  ['ceil', Math.ceil],
  ['clamp', (value, min, max) => goMax(min, goMin(max, value))],
  ['clamp_max', (value, max) => goMin(max, value)],
  ['clamp_min', (value, min) => goMax(min, value)],
  ['cos', Math.cos],
  ['cosh', cosh],
  ['deg', (value) => (value * 180) / Math.PI],
  ['exp', Math.exp],
  ['floor', Math.floor],
  ['ln', Math.log],
  ['log10', Math.log10],
  ['log2', Math.log2],
  ['rad', (value) => (value * Math.PI) / 180],
  ['round', roundTo],
  ['sgn', (value) => (value < 0 ? -1 : value > 0 ? 1 : value)],
  ['sin', Math.sin],
  ['sinh', sinh],
  ['sqrt', Math.sqrt],
  ['tan', Math.tan],
  ['tanh', Math.tanh],
  ['day_of_month', (value) => dateOf(value)?.getUTCDate() ?? Number.NaN],
  ['day_of_week', (value) => dateOf(value)?.getUTCDay() ?? Number.NaN],
  ['day_of_year', dayOfYear],
  ['days_in_month', daysInMonth],
  ['hour', (value) => dateOf(value)?.getUTCHours() ?? Number.NaN],
  ['minute', (value) => dateOf(value)?.getUTCMinutes() ?? Number.NaN],
  ['month', (value) => (dateOf(value)?.getUTCMonth() ?? Number.NaN) + 1],
  ['year', (value) => dateOf(value)?.getUTCFullYear() ?? Number.NaN],
]);

/** Functions whose vector argument defaults to the evaluation time. */
export const DATE_FUNCTIONS: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'year',
]);

/** Beyond this Go takes half of e^x for sinh and cosh, which overflows a little before they would. */
const LARGE = 21;

function sinh(value: number): number {
  if (!(Math.abs(value) > LARGE)) return Math.sinh(value);
  return value < 0 ? -Math.exp(-value) * 0.5 : Math.exp(value) * 0.5;
}

function cosh(value: number): number {
  return Math.abs(value) > LARGE ? Math.exp(Math.abs(value)) * 0.5 : Math.cosh(value);
}

/** Ties go up; the inverse keeps 0.1 and the like exact. */
function roundTo(value: number, toNearest: number): number {
  const inverse = 1 / toNearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}

function goMax(a: number, b: number): number {
  return Math.max(a, b);
}

function goMin(a: number, b: number): number {
  return Math.min(a, b);
}

/** Null where a float is no time a calendar knows. */
function dateOf(seconds: number): Date | null {
  const date = new Date(Math.trunc(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? null : date;
}

function dayOfYear(seconds: number): number {
  const date = dateOf(seconds);
  if (date === null) return Number.NaN;
  const newYearMs = Date.UTC(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - newYearMs) / (DAY_S * 1000)) + 1;
}

function daysInMonth(seconds: number): number {
  const date = dateOf(seconds);
  if (date === null) return Number.NaN;
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}
