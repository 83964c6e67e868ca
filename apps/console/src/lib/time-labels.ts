/** Below this distance of labels, seconds are shown. */
const MINUTE_SECONDS = 60;

/**
 * Labels of a time axis, in the viewer's zone and with 24 hours: seconds only where labels stand closer than a minute, and
 * the day below the first label and wherever a new one begins.
 */
export function timeLabels(timesSeconds: readonly number[]): string[] {
  const [first = 0, second = first] = timesSeconds;
  const withSeconds = second - first < MINUTE_SECONDS;
  let dayBefore = '';
  return timesSeconds.map((seconds) => {
    const date = new Date(seconds * 1_000);
    const clock = clockText(date, withSeconds);
    const day = dayText(date);
    const label = day === dayBefore ? clock : `${clock}\n${day}`;
    dayBefore = day;
    return label;
  });
}

/** `2026-11-22 11:57:03` in the viewer's zone. */
export function momentText(seconds: number): string {
  const date = new Date(seconds * 1_000);
  return `${date.getFullYear()}-${dayText(date)} ${clockText(date, true)}`;
}

function clockText(date: Date, withSeconds: boolean): string {
  const text = `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
  return withSeconds ? `${text}:${twoDigits(date.getSeconds())}` : text;
}

function dayText(date: Date): string {
  return `${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
