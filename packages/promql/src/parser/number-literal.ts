import { DurationError, parseDuration } from '@pollux/model';
import type { Token } from './token.ts';
import type { TokenReader } from './token-reader.ts';

/** The value of a number token. */
export function readNumber(reader: TokenReader, token: Token): number {
  const text = token.text.replaceAll('_', '');
  const lower = text.toLowerCase();
  if (lower === 'inf') return Number.POSITIVE_INFINITY;
  if (lower === 'nan') return Number.NaN;
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  // Underscores stand between digits; the lexer lets one at the end pass.
  const value = token.text.endsWith('_') ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) {
    const reason = Number.isNaN(value) ? 'invalid syntax' : 'value out of range';
    throw reader.error(
      token,
      `error parsing number: strconv.ParseFloat: parsing "${token.text}": ${reason}`,
    );
  }
  return value;
}

/** The value of a duration token in seconds. */
export function readDurationSeconds(reader: TokenReader, token: Token): number {
  const units = /^[0-9]/.test(token.text) ? (token.text.match(/[^0-9]+/g) ?? []) : [];
  for (const unit of units) {
    if (!/^(?:y|w|d|h|m|s|ms)$/.test(unit))
      throw reader.error(token, `unknown unit "${unit}" in duration "${token.text}"`);
  }
  try {
    return parseDuration(token.text) / 1000;
  } catch (error) {
    if (error instanceof DurationError) throw reader.error(token, error.message);
    throw error;
  }
}
