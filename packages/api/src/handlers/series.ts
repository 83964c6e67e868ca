import type { Labels, Matcher } from '@pollux/model';
import { compareText } from '@pollux/model';
import {
  type Annotation,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type TimeRange,
} from '@pollux/storage';
import { type ApiCall, type ApiHandler, type ReadLimits, readContext, TRUNCATED } from '../call.ts';
import type { ApiResult } from '../wire/answer.ts';
import { encodeLabels } from '../wire/encode.ts';
import { ApiError, badData, invalidParameter } from '../wire/errors.ts';
import { unescapeLabelName } from '../wire/label-name.ts';
import {
  ALL_TIME,
  limitHint,
  limitParameter,
  matchersParameter,
  timeParameter,
} from '../wire/parameters.ts';

export type SeriesHandlerOptions = {
  readonly queryable: Queryable;
  readonly limits: ReadLimits;
};

/** /api/v1/labels */
export function labelNames({ queryable, limits }: SeriesHandlerOptions): ApiHandler {
  return async (call) => {
    const limit = limitParameter(call.form);
    const range = rangeOf(call);
    const sets = matchersParameter(call.form);
    const context = readContext(call, limits);
    return gather(sets, limit, (matchers) =>
      queryable.labelNames(range, matchers, limitHint(limit), context),
    );
  };
}

/** /api/v1/label/<name>/values */
export function labelValues({ queryable, limits }: SeriesHandlerOptions): ApiHandler {
  return async (call) => {
    const written = call.exchange.params.name ?? '';
    const name = unescapeLabelName(written);
    if (name === '' || /\p{Cs}/u.test(name)) {
      throw badData(`invalid label name: ${JSON.stringify(name)}`);
    }
    const limit = limitParameter(call.form);
    const range = rangeOf(call);
    const sets = matchersParameter(call.form);
    const context = readContext(call, limits);
    return gather(sets, limit, (matchers) =>
      queryable.labelValues(name, range, matchers, limitHint(limit), context),
    );
  };
}

/** /api/v1/series */
export function series({ queryable, limits }: SeriesHandlerOptions): ApiHandler {
  return async (call) => {
    const { form } = call;
    if (!form.has('match[]')) throw badData('no match[] parameter provided');
    const limit = limitParameter(form);
    const range = rangeOf(call);
    const sets = seriesMatchers(form);
    const context = readContext(call, limits);
    const annotations: Annotation[] = [];
    const found = new Map<string, Labels>();
    for (const matchers of sets) {
      await collectLabels(queryable, { range, matchers, limit }, context, found, annotations);
    }
    const sorted = [...found.values()].sort((a, b) => a.compare(b));
    const isTruncated = limit > 0 && sorted.length > limit;
    if (isTruncated) annotations.push(TRUNCATED);
    return {
      kind: 'encoded',
      pieces: encodeSeries(isTruncated ? sorted.slice(0, limit) : sorted),
      annotations,
    };
  };
}

function rangeOf({ form }: ApiCall): TimeRange {
  return {
    minMs: timeParameter(form, 'start', ALL_TIME.minMs),
    maxMs: timeParameter(form, 'end', ALL_TIME.maxMs),
  };
}

async function gather(
  sets: readonly (readonly Matcher[])[],
  limit: number,
  read: (
    matchers: readonly Matcher[],
  ) => Promise<{ readonly values: readonly string[]; readonly warnings: readonly Annotation[] }>,
): Promise<ApiResult> {
  const annotations: Annotation[] = [];
  const found = new Set<string>();
  for (const matchers of sets.length === 0 ? [[]] : sets) {
    const answer = await read(matchers);
    for (const value of answer.values) found.add(value);
    annotations.push(...answer.warnings);
  }
  const values = [...found].sort(compareText);
  const isTruncated = limit > 0 && values.length > limit;
  if (isTruncated) annotations.push(TRUNCATED);
  return { kind: 'data', data: isTruncated ? values.slice(0, limit) : values, annotations };
}

function seriesMatchers(form: URLSearchParams): Matcher[][] {
  try {
    return matchersParameter(form);
  } catch (error) {
    throw error instanceof ApiError ? invalidParameter('match[]', error.message) : error;
  }
}

async function collectLabels(
  queryable: Queryable,
  request: {
    readonly range: TimeRange;
    readonly matchers: readonly Matcher[];
    readonly limit: number;
  },
  context: ReadContext,
  found: Map<string, Labels>,
  annotations: Annotation[],
): Promise<void> {
  const { range, matchers, limit } = request;
  const source = queryable.select(
    {
      range,
      matchers,
      hints: {
        ...NO_HINTS,
        startMs: range.minMs,
        endMs: range.maxMs,
        func: 'series',
        limit: limitHint(limit),
      },
      sorted: true,
    },
    context,
  );
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const { labels } of batch) found.set(labels.key(), labels);
      if (limit > 0 && found.size > limit) break;
    }
    annotations.push(...source.warnings);
  } finally {
    source.close();
  }
}

/** In pieces of some hundred series. */
function encodeSeries(sets: readonly Labels[]): string[] {
  const pieces: string[] = ['['];
  const perPiece = 256;
  for (let at = 0; at < sets.length; at += perPiece) {
    const part = sets
      .slice(at, at + perPiece)
      .map(encodeLabels)
      .join(',');
    pieces.push(at === 0 ? part : `,${part}`);
  }
  pieces.push(']');
  return pieces;
}
