import { CanceledError, errorText, LimitError } from '@pollux/base';
import { compareText, type Matcher } from '@pollux/model';
import {
  type Annotation,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesSource,
  type TimeRange,
  withoutNeed,
} from '../queryable.ts';
import { MergedSource } from './merge-sources.ts';

/**
 * One Queryable out of a primary and any number of secondaries, by Prometheus' rule: when the primary fails the query
 * fails; when a secondary fails its part is missing and a warning says so. A limit of the query itself and a cancelled
 * query fail it whoever meets them.
 */
export function mergeQueryables(primary: Queryable, secondaries: readonly Queryable[]): Queryable {
  return secondaries.length === 0 ? primary : new MergedQueryable(primary, secondaries);
}

class MergedQueryable implements Queryable {
  readonly #primary: Queryable;
  readonly #secondaries: readonly Queryable[];

  constructor(primary: Queryable, secondaries: readonly Queryable[]) {
    this.#primary = primary;
    this.#secondaries = secondaries;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    // Only sorted sources can be merged without holding them whole.
    const sorted = { ...withoutNeed(request), sorted: true };
    return new MergedSource([
      { source: this.#primary.select(sorted, context), onError: () => null },
      ...this.#secondaries.map((secondary) => ({
        source: secondary.select(sorted, context),
        onError: (error: unknown) => warningOf(error, context),
      })),
    ]);
  }

  labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.#union(limit, context, (queryable) =>
      queryable.labelNames(range, matchers, limit, context),
    );
  }

  labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.#union(limit, context, (queryable) =>
      queryable.labelValues(name, range, matchers, limit, context),
    );
  }

  async #union(
    limit: number,
    context: ReadContext,
    ask: (queryable: Queryable) => Promise<NamesAnswer>,
  ): Promise<NamesAnswer> {
    const [first, ...others] = await Promise.all([
      ask(this.#primary),
      ...this.#secondaries.map(async (secondary): Promise<NamesAnswer> => {
        try {
          return await ask(secondary);
        } catch (error) {
          const text = warningOf(error, context);
          if (text === null) throw error;
          return { values: [], warnings: [{ kind: 'warning', text }] };
        }
      }),
    ]);
    const answers = [first, ...others];
    const values = [...new Set(answers.flatMap((answer) => answer.values))].sort(compareText);
    const warnings: Annotation[] = answers.flatMap((answer) => answer.warnings);
    return { values: limit > 0 ? values.slice(0, limit) : values, warnings };
  }
}

/** The warning for a secondary's failure, or null when it must fail the query. */
export function warningOf(error: unknown, context: ReadContext): string | null {
  if (context.signal.aborted || error instanceof CanceledError) return null;
  if (error instanceof LimitError && error.code === 'STORAGE.MEMORY_LIMIT') return null;
  return errorText(error);
}
