import type { IntervalSet } from '@pollux/storage';

/** Spans that are written out; of more only the number is. */
const SHOWN = 5;

/** What an answer says of times that nobody covers; null when there are none. */
export function uncoveredWarning(uncovered: IntervalSet): string | null {
  if (uncovered.length === 0) return null;
  const spans = uncovered
    .slice(0, SHOWN)
    .map(({ startMs, endMs }) => `${timeText(startMs)} to ${timeText(endMs)}`);
  const more = uncovered.length > SHOWN ? ` and ${uncovered.length - SHOWN} more` : '';
  return `no replica covers ${spans.join(', ')}${more}`;
}

/** Milliseconds beyond what a date can be are written as they are. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}
