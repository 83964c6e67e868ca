import { formatDuration, parseDuration } from '@pollux/model';

/** The resolution that a directory of slices is named for; null for somebody else's directory. */
export function resolutionOf(name: string): number | null {
  try {
    const resolutionMs = parseDuration(name);
    return resolutionMs > 0 && formatDuration(resolutionMs) === name ? resolutionMs : null;
  } catch {
    // No duration at all.
    return null;
  }
}
