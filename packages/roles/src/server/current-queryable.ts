import type { Matcher } from '@pollux/model';
import type {
  NamesAnswer,
  Queryable,
  RawSource,
  ReadContext,
  SelectRequest,
  SelectSize,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';

/** Passes everything to the storage of the running configuration; a reload puts another in its place. */
export class CurrentQueryable implements Queryable {
  current: Queryable;

  constructor(first: Queryable) {
    this.current = first;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    return this.current.select(request, context);
  }

  selectRaw(request: SelectRequest, context: ReadContext): RawSource | null {
    return this.current.selectRaw?.(request, context) ?? null;
  }

  sizeAtMost(
    range: TimeRange,
    matchers: readonly Matcher[],
    mostSamples: number,
  ): SelectSize | null {
    return this.current.sizeAtMost?.(range, matchers, mostSamples) ?? null;
  }

  likelySeries(range: TimeRange, matchers: readonly Matcher[]): number {
    return this.current.likelySeries?.(range, matchers) ?? 0;
  }

  labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.current.labelNames(range, matchers, limit, context);
  }

  labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.current.labelValues(name, range, matchers, limit, context);
  }
}
