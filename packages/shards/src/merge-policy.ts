/** This many files of like size are merged into one. */
const MERGE_FILES = 4;
/** A file joins the run when it is at most this many times as large as all newer ones together. */
const SIZE_STEP = 2;

/**
 * How many of the newest files to merge, 0 for none: a run in which no file is larger than twice all newer ones together, so
 * that a byte is written again only as often as the file it lies in grows by a half. Sizes are given oldest first.
 */
export function filesToMerge(sizes: readonly number[]): number {
  let sum = 0;
  let count = 0;
  for (let i = sizes.length - 1; i >= 0; i--) {
    const size = sizes[i]!;
    if (count >= 2 && size > SIZE_STEP * sum) break;
    sum += size;
    count++;
  }
  return count >= MERGE_FILES ? count : 0;
}
