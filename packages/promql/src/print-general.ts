/**
 * A number as Go's %g writes it: the fewest digits that read back, or at most `digits`; with an exponent below 1e-4 and from
 * 1e6 on, or from where the digits end.
 */
export function printGeneral(value: number, digits?: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const text = value.toExponential(digits === undefined ? undefined : digits - 1);
  const match = /^(-?\d(?:\.\d*[1-9])?)\.?0*e([+-])(\d+)$/.exec(text)!;
  const [, mantissa, sign, power] = match;
  const exponent = Number(`${sign}${power}`);
  if (exponent < -4 || exponent >= (digits ?? 6))
    return `${mantissa}e${sign}${power!.padStart(2, '0')}`;
  return String(Number(text));
}
