import type { Slices } from '@pollux/base';

const MINUTE_MS = 60_000;
const STEP_MINUTES = 15;

/**
 * When `isHeld` first gives another answer than at `fromMs`, to the minute; null when not until `untilMs`. What lies wholly
 * inside a quarter of an hour is not seen. Gives the thread away between steps.
 */
export async function nextChange(
  isHeld: (timeMs: number) => boolean,
  range: { readonly fromMs: number; readonly untilMs: number },
  slices: Slices,
): Promise<number | null> {
  const was = isHeld(range.fromMs);
  let knownMs = Math.floor(range.fromMs / MINUTE_MS) * MINUTE_MS;
  // From the next full quarter of an hour on, steps fall on the bounds that people write.
  const stepMs = STEP_MINUTES * MINUTE_MS;
  let atMs = Math.ceil((knownMs + 1) / stepMs) * stepMs;
  for (; atMs <= range.untilMs; atMs += stepMs) {
    if (slices.isOver) await slices.pause();
    if (isHeld(atMs) !== was) {
      for (let ms = knownMs + MINUTE_MS; ms < atMs; ms += MINUTE_MS) {
        if (isHeld(ms) !== was) return ms;
      }
      return atMs;
    }
    knownMs = atMs;
  }
  return null;
}
