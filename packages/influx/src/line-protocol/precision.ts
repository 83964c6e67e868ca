/** Units of timestamps on the wire. */
export type Precision = 'ns' | 'u' | 'ms' | 's' | 'm' | 'h';

export const UNIT_NANOS: Readonly<Record<Precision, bigint>> = {
  ns: 1n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** `precision` of a write; null when it is none. */
export function writePrecision(text: string | null): Precision | null {
  if (text === null || text === '' || text === 'n' || text === 'ns') return 'ns';
  return text in UNIT_NANOS ? (text as Precision) : null;
}

/** `epoch` of a query: null for text times; anything unknown counts as nanoseconds, as in InfluxDB. */
export function queryEpoch(text: string | null): Precision | null {
  if (text === null || text === '') return null;
  return text in UNIT_NANOS ? (text as Precision) : 'ns';
}
