const UNITS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
const DURATION = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

/** `1d2h` in ms; null when it is none or nothing. */
export function parseDuration(text: string): number | null {
  const found = DURATION.exec(text.replaceAll(/\s/g, ''));
  if (found === null) return null;
  let ms = 0;
  for (const [index, unitMs] of Object.values(UNITS).entries()) {
    ms += Number(found[index + 1] ?? 0) * unitMs;
  }
  return ms > 0 && Number.isSafeInteger(ms) ? ms : null;
}

/** `1d 2h`, to the second. */
export function formatDuration(ms: number): string {
  let left = Math.round(ms / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [unit, unitMs] of Object.entries(UNITS)) {
    const count = Math.floor(left / unitMs);
    if (count > 0) parts.push(`${count}${unit}`);
    left -= count * unitMs;
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

/** Its two largest units: what is read at a glance. */
export function shortDuration(ms: number): string {
  return formatDuration(ms).split(' ').slice(0, 2).join(' ');
}

/** `in 5m` or `2h ago`. */
export function whenText(time: string, nowMs: number): string {
  const distanceMs = new Date(time).getTime() - nowMs;
  if (Number.isNaN(distanceMs)) return time;
  const text = shortDuration(Math.abs(distanceMs));
  if (text === '0s') return 'now';
  return distanceMs > 0 ? `in ${text}` : `${text} ago`;
}

/** The value of a field for date and time, in the viewer's zone. */
export function toField(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Null when it is none. */
export function fromField(text: string): number | null {
  const ms = new Date(text).getTime();
  return text === '' || Number.isNaN(ms) ? null : ms;
}
