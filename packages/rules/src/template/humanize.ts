import { formatFloat } from '@pollux/gotemplate';

const LARGE = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] as const;
const LARGE_BINARY = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'] as const;
const SMALL = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'] as const;

/** Metric prefixes, four significant digits: `1.234k`, `12.34m`. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return short(value);
  return Math.abs(value) >= 1
    ? scaleDown(value, 1000, LARGE)
    : scaleUp(value, (scaled, prefix) => `${short(scaled)}${prefix}`);
}

/** Binary prefixes: `1.5Ki` is written `1.5ki`, as Prometheus does. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return short(value);
  return scaleDown(value, 1024, LARGE_BINARY);
}

/** Seconds as `1d 2h 3m 4s`, below a minute with four digits, below a second with a prefix. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return short(seconds);
  if (seconds === 0) return `${short(seconds)}s`;
  if (Math.abs(seconds) < 1)
    return scaleUp(seconds, (scaled, prefix) => `${short(scaled)}${prefix}s`);
  const sign = seconds < 0 ? '-' : '';
  const total = Math.trunc(Math.abs(seconds));
  const s = total % 60;
  const m = Math.floor(total / 60) % 60;
  const h = Math.floor(total / 3_600) % 24;
  const d = Math.floor(total / 86_400);
  if (d !== 0) return `${sign}${d}d ${h}h ${m}m ${s}s`;
  if (h !== 0) return `${sign}${h}h ${m}m ${s}s`;
  if (m !== 0) return `${sign}${m}m ${s}s`;
  return `${sign}${short(Math.abs(seconds))}s`;
}

export function humanizePercentage(ratio: number): string {
  return `${short(ratio * 100)}%`;
}

/** Go's %.4g. */
export function short(value: number): string {
  return formatFloat(value, 'g', 4);
}

function scaleDown(value: number, base: number, prefixes: readonly string[]): string {
  let scaled = value;
  let prefix = '';
  for (const next of prefixes) {
    if (Math.abs(scaled) < base) break;
    prefix = next;
    scaled /= base;
  }
  return `${short(scaled)}${prefix}`;
}

function scaleUp(value: number, write: (scaled: number, prefix: string) => string): string {
  let scaled = value;
  let prefix = '';
  for (const next of SMALL) {
    if (Math.abs(scaled) >= 1) break;
    prefix = next;
    scaled *= 1000;
  }
  return write(scaled, prefix);
}
