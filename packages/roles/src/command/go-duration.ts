import { UsageError } from './command-line.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a Go duration (`1h30m`, `1.5s`). Throws UsageError in Go's words. */
export function goDurationMs(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)[^\d.]*)+$/.test(body))
    throw new UsageError(`time: invalid duration ${JSON.stringify(text)}`);
  let totalMs = 0;
  for (const [, amount = '', unit = ''] of body.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]*)/g)) {
    if (unit === '') throw new UsageError(`time: missing unit in duration ${JSON.stringify(text)}`);
    if (!Object.hasOwn(UNIT_MS, unit)) {
      throw new UsageError(
        `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`,
      );
    }
    totalMs += Number(amount) * UNIT_MS[unit]!;
  }
  return sign * totalMs;
}
