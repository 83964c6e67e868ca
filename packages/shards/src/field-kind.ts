/** The type of a field, fixed per measurement and shard group by the first value written. */
export type FieldKind = 'float' | 'integer' | 'boolean' | 'string';

/** Codes in memory and on disk; never reused for another meaning. */
export const KIND_CODES = { float: 0, integer: 1, boolean: 2, string: 3 } as const;
const KINDS: readonly FieldKind[] = ['float', 'integer', 'boolean', 'string'];

/** Null when the code is none of this version. */
export function kindOf(code: number): FieldKind | null {
  return KINDS[code] ?? null;
}
