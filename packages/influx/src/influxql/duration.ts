import { formatFloat } from '@pollux/model';

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  u: 1_000n,
  µ: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};
const MAX = 9_223_372_036_854_775_807n;

/** InfluxQL's durations: `1h30m`, units ns u µ ms s m h d w. Null when it is none, 'overflow' when too long. */
export function parseInfluxDuration(text: string): bigint | null | 'overflow' {
  if (!/^(?:\d+(?:ns|ms|u|µ|s|m|h|d|w))+$/.test(text)) return null;
  let nanos = 0n;
  for (const [, count = '0', unit = 's'] of text.matchAll(/(\d+)(ns|ms|[uµsmhdw])/g)) {
    nanos += BigInt(count) * UNITS[unit]!;
  }
  return nanos > MAX ? 'overflow' : nanos;
}

/** As a statement prints it: the largest unit that divides it. */
export function formatInfluxDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const order = ['w', 'd', 'h', 'm', 's', 'ms', 'u', 'ns'];
  for (const unit of order)
    if (nanos % UNITS[unit]! === 0n) return `${nanos / UNITS[unit]!}${unit}`;
  return `${nanos}ns`;
}

/** As Go prints a duration: `168h0m0s`, `1.5s`, `10ms`. */
export function formatGoDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${formatFloat(Number(size) / 1e3)}µs`;
  if (size < 1_000_000_000n) return `${sign}${formatFloat(Number(size) / 1e6)}ms`;
  const hours = size / 3_600_000_000_000n;
  const minutes = (size / 60_000_000_000n) % 60n;
  const seconds = formatFloat(Number(size % 60_000_000_000n) / 1e9);
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}
