import { LimitError, OperatingError } from '@pollux/base';
import type { SampleNeed, SelectHints, SelectRequest, SeriesColumns } from '@pollux/storage';
import { QueryError } from '../errors.ts';
import type { VectorSelector } from '../parser/ast.ts';
import type { SelectHint } from '../plan/nodes.ts';
import type { ExecContext } from './context.ts';

/** A timestamp and a value. */
const BYTES_PER_SAMPLE = 16;

export type LoadRequest = {
  readonly selector: VectorSelector;
  readonly minMs: number;
  readonly maxMs: number;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly hint: SelectHint;
  readonly need: SampleNeed;
};

/** Reads all series of a selector over a time range, sorted by labels. */
export async function loadSeries(
  context: ExecContext,
  request: LoadRequest,
): Promise<readonly SeriesColumns[]> {
  await context.checkpoint();
  const hints: SelectHints = {
    startMs: request.minMs,
    endMs: request.maxMs,
    stepMs: request.stepMs,
    rangeMs: request.rangeMs,
    func: request.hint.func,
    grouping: request.hint.grouping,
    by: request.hint.by,
    limit: 0,
  };
  const range = { minMs: request.minMs, maxMs: request.maxMs };
  const matchers = request.selector.matchers;
  const wanted: SelectRequest = { range, matchers, hints, sorted: true, need: request.need };
  const source = context.queryable.select(wanted, context.read);
  const loaded: SeriesColumns[] = [];
  try {
    for (;;) {
      const batch = await source.next();
      if (batch === null) break;
      for (const series of batch) {
        if (series.count === 0) continue;
        context.holdMemory(series.count * BYTES_PER_SAMPLE);
        loaded.push(series);
      }
      await context.checkpoint();
    }
    context.annotations.addAll(source.warnings);
  } catch (error) {
    if (error instanceof QueryError) throw error;
    context.throwIfOver();
    // Storage errors reach the user with their own text, as "expanding series: …" in Prometheus.
    if (error instanceof LimitError) throw error;
    if (OperatingError.is(error)) {
      throw new QueryError('execution', `expanding series: ${error.message}`, { cause: error });
    }
    throw error;
  } finally {
    source.close();
  }
  return loaded;
}
