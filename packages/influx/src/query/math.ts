import { atan, cos, log2, log10, sin, tan } from './cephes.ts';
import type { Cell } from './result.ts';

type Unary = (x: number) => number;

/** Functions of a single value, by name. */
const UNARY: Readonly<Record<string, Unary>> = {
  acos: Math.acos,
  asin: Math.asin,
  atan,
  cos,
  exp: Math.exp,
  ln: Math.log,
  log10,
  log2,
  sin,
  sqrt: Math.sqrt,
  tan,
};

/** Functions that leave an integer one. */
const ROUNDING: Readonly<Record<string, Unary>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  // Go rounds halves away from zero.
  round: (x) => Math.sign(x) * Math.round(Math.abs(x)),
};

const BINARY: Readonly<Record<string, (x: number, y: number) => number>> = {
  atan2: Math.atan2,
  log: (x, base) => Math.log(x) / Math.log(base),
  pow: (x, y) => x ** y,
};

/** How many arguments a math function takes; 0 when the name is none. */
export function mathArity(name: string): number {
  if (Object.hasOwn(UNARY, name) || Object.hasOwn(ROUNDING, name)) return 1;
  return Object.hasOwn(BINARY, name) ? 2 : 0;
}

/** The value of a math function, null for arguments outside its domain. */
export function mathCall(name: string, args: readonly Cell[]): Cell {
  const arity = mathArity(name);
  const [x = null, y = null] = args;
  if (x === null || typeof x === 'string' || typeof x === 'boolean') return null;
  if (arity === 2) {
    if (y === null || typeof y === 'string' || typeof y === 'boolean') return null;
    return finite(BINARY[name]!(Number(x), Number(y)));
  }
  const rounding = ROUNDING[name];
  if (rounding === undefined) return finite(UNARY[name]!(Number(x)));
  if (typeof x === 'bigint') return name === 'abs' && x < 0n ? -x : x;
  return finite(rounding(x));
}

function finite(value: number): Cell {
  return Number.isFinite(value) ? value : null;
}
