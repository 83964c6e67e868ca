/** A float in JSON, which has no name for some. The bits of NaN are not kept. */
export type NumberText = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** `Number` reads it back. */
export function numberText(value: number): NumberText {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : value;
  return String(value) as NumberText;
}
