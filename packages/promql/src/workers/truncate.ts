import type { QueryResult } from '../result.ts';

/** The result with at most `limit` series; 0 leaves all. */
export function truncate(
  result: QueryResult,
  limit: number,
): { readonly result: QueryResult; readonly isTruncated: boolean } {
  if (limit > 0 && result.kind === 'vector' && result.labels.length > limit) {
    return { result: { ...result, labels: result.labels.slice(0, limit) }, isTruncated: true };
  }
  if (limit > 0 && result.kind === 'matrix' && result.series.length > limit) {
    return { result: { ...result, series: result.series.slice(0, limit) }, isTruncated: true };
  }
  return { result, isTruncated: false };
}
