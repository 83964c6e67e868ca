import type { FieldKind } from '@pollux/storage';

/** Codes in memory and on disk; never reused for another meaning. */
export const KIND_CODES = { float: 0, integer: 1, boolean: 2, string: 3, unsigned: 4 } as const;
const KINDS: readonly FieldKind[] = ['float', 'integer', 'boolean', 'string', 'unsigned'];

/** True when cells are whole numbers of 64 bits, to be read through a BigInt64Array or BigUint64Array. */
export function isWhole(kind: FieldKind): boolean {
  return kind === 'integer' || kind === 'unsigned';
}

/** Null when the code is none of this version. */
export function kindOf(code: number): FieldKind | null {
  return KINDS[code] ?? null;
}
