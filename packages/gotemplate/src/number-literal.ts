import { unquote } from './format/quote.ts';

/** `int` is null for what is no integer, and for an unsigned one that no int holds. */
export type NumberLiteral = {
  readonly int: bigint | null;
  readonly float: number;
  readonly isFloatLiteral: boolean;
};

const INTEGER =
  /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/;
const DECIMAL =
  /^[+-]?(?:[0-9](?:_?[0-9])*)?(?:\.(?:[0-9](?:_?[0-9])*)?)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/;
const HEX_FLOAT = /^([+-]?)0[xX]([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9]+)$/;

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

/** Go's number or character literal; a text says what is wrong with it. */
export function parseNumberLiteral(literal: string): NumberLiteral | string {
  if (literal.startsWith("'")) {
    const text = unquote(literal);
    const codePoint = text === null || [...text].length !== 1 ? undefined : text.codePointAt(0);
    if (codePoint === undefined) return `malformed character constant: ${literal}`;
    return { int: BigInt(codePoint), float: codePoint, isFloatLiteral: false };
  }
  if (INTEGER.test(literal)) {
    const int = parseInteger(literal.replaceAll('_', ''));
    if (int < INT_MIN || int > UINT_MAX) return 'integer overflow';
    return { int: int > INT_MAX ? null : int, float: Number(int), isFloatLiteral: false };
  }
  const float = parseFloatLiteral(literal);
  if (float === null) return 'illegal number syntax';
  // As Go's own parser puts it for digits that are no octal: 08.
  if (!/[.eEpP]/.test(literal)) return 'integer overflow';
  const whole = Number.isInteger(float) ? BigInt(float) : null;
  const int = whole !== null && whole >= INT_MIN && whole <= INT_MAX ? whole : null;
  return { int, float, isFloatLiteral: true };
}

/** Octal is written `0o17` or `017`. */
function parseInteger(text: string): bigint {
  const isNegative = text.startsWith('-');
  const digits = text.replace(/^[+-]/, '');
  const value = BigInt(digits.replace(/^0(?=[0-7])/, '0o'));
  return isNegative ? -value : value;
}

function parseFloatLiteral(literal: string): number | null {
  const hex = HEX_FLOAT.exec(literal);
  if (hex !== null) {
    const fraction = (hex[3] ?? '').replaceAll('_', '');
    const digits = (hex[2] ?? '').replaceAll('_', '') + fraction;
    if (digits === '' || digits.length > 13) return null;
    const value = Number.parseInt(digits, 16) * 2 ** (Number(hex[4]) - 4 * fraction.length);
    return hex[1] === '-' ? -value : value;
  }
  if (!DECIMAL.test(literal) || !/[0-9]/.test(literal)) return null;
  const value = Number(literal.replaceAll('_', ''));
  return Number.isFinite(value) ? value : null;
}
