import { Slices } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import { compareText, unescapeLabelName } from '@pollux/model';
import {
  type Annotation,
  MergedSource,
  type NamesAnswer,
  NO_HINTS,
  type Queryable,
  type SeriesSource,
  type TimeRange,
} from '@pollux/storage';
import { type ApiCall, type ApiHandler, type ReadLimits, readContext, TRUNCATED } from '../call.ts';
import type { ApiResult } from '../wire/answer.ts';
import { encodeLabels, encodeTexts } from '../wire/encode.ts';
import { ApiError, badData, invalidParameter } from '../wire/errors.ts';
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

/** A text with one is no UTF-8. Out here, since a new one is compiled anew. */
const LONE_SURROGATE = /\p{Cs}/u;

/** /api/v1/labels */
export function labelNames({ queryable, limits }: SeriesHandlerOptions): ApiHandler {
  return async (call) => {
    const limit = limitParameter(call.form);
    const range = rangeOf(call);
    const sets = matchersParameter(call.form);
    const context = readContext(call, limits);
    return gather(sets, limit, new Slices(limits.clock, context.signal), (matchers) =>
      queryable.labelNames(range, matchers, limitHint(limit), context),
    );
  };
}

/** /api/v1/label/<name>/values */
export function labelValues({ queryable, limits }: SeriesHandlerOptions): ApiHandler {
  return async (call) => {
    const written = call.exchange.params.name ?? '';
    const name = unescapeLabelName(written);
    if (name === '' || LONE_SURROGATE.test(name)) {
      throw badData(`invalid label name: ${JSON.stringify(name)}`);
    }
    const limit = limitParameter(call.form);
    const range = rangeOf(call);
    const sets = matchersParameter(call.form);
    const context = readContext(call, limits);
    return gather(sets, limit, new Slices(limits.clock, context.signal), (matchers) =>
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
    const select = (matchers: Matcher[]): SeriesSource =>
      queryable.select(
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
    const sources = sets.map(select);
    const [first] = sources;
    const source =
      sources.length === 1 && first !== undefined
        ? first
        : new MergedSource(sources.map((each) => ({ source: each, onError: () => null })));
    return encodeSeries(source, limit, new Slices(limits.clock, context.signal));
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
  slices: Slices,
  read: (matchers: readonly Matcher[]) => Promise<NamesAnswer>,
): Promise<ApiResult> {
  const annotations: Annotation[] = [];
  let found: readonly string[] = [];
  for (const matchers of sets.length === 0 ? [[]] : sets) {
    const { values, warnings } = await read(matchers);
    found = found.length === 0 ? values : await slices.run(united(found, values));
    annotations.push(...warnings);
  }
  const isTruncated = limit > 0 && found.length > limit;
  if (isTruncated) annotations.push(TRUNCATED);
  const count = isTruncated ? limit : found.length;
  const pieces: string[] = ['['];
  for (let at = 0; at < count; at += PER_PIECE) {
    const part = encodeTexts(found.slice(at, Math.min(count, at + PER_PIECE)));
    pieces.push(at === 0 ? part : `,${part}`);
    if (slices.isOver) await slices.pause();
  }
  pieces.push(']');
  return { kind: 'encoded', pieces, annotations };
}

/** Names, or values, of one piece of JSON. */
const PER_PIECE = 1_024;

/** What is in either of two lists that are sorted bytewise, each once; yields between steps. */
function* united(a: readonly string[], b: readonly string[]): Generator<void, string[]> {
  const all: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (all.length % PER_PIECE === 0) yield;
    const order = i === a.length ? 1 : j === b.length ? -1 : compareText(a[i]!, b[j]!);
    all.push(order <= 0 ? a[i]! : b[j]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return all;
}

function seriesMatchers(form: URLSearchParams): Matcher[][] {
  try {
    return matchersParameter(form);
  } catch (error) {
    throw error instanceof ApiError ? invalidParameter('match[]', error.message) : error;
  }
}

/** In pieces of a batch each, as they come: sorted, and each once. */
async function encodeSeries(
  source: SeriesSource,
  limit: number,
  slices: Slices,
): Promise<ApiResult> {
  const pieces: string[] = [];
  let count = 0;
  let isTruncated = false;
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      isTruncated = limit > 0 && count + batch.length > limit;
      const given = isTruncated ? batch.slice(0, limit - count) : batch;
      const part = given.map(({ labels }) => encodeLabels(labels)).join(',');
      if (part !== '') pieces.push(count === 0 ? `[${part}` : `,${part}`);
      count += given.length;
      if (isTruncated) break;
      if (slices.isOver) await slices.pause();
    }
  } finally {
    source.close();
  }
  pieces.push(count === 0 ? '[]' : ']');
  const { warnings } = source;
  return {
    kind: 'encoded',
    pieces,
    annotations: isTruncated ? [...warnings, TRUNCATED] : warnings,
  };
}
