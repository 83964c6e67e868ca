import { fourDigits, scaleUp } from '@pollux/gotemplate';

const LARGE = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] as const;
const LARGE_BINARY = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'] as const;

/** Metric prefixes, four significant digits: `1.234k`, `12.34m`. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return fourDigits(value);
  return Math.abs(value) >= 1 ? scaleDown(value, 1000, LARGE) : scaleUp(value);
}

/** Binary prefixes: `1.5Ki` is written `1.5ki`, as Prometheus does. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return fourDigits(value);
  return scaleDown(value, 1024, LARGE_BINARY);
}

export function humanizePercentage(ratio: number): string {
  return `${fourDigits(ratio * 100)}%`;
}

function scaleDown(value: number, base: number, prefixes: readonly string[]): string {
  let scaled = value;
  let prefix = '';
  for (const next of prefixes) {
    if (Math.abs(scaled) < base) break;
    prefix = next;
    scaled /= base;
  }
  return `${fourDigits(scaled)}${prefix}`;
}
