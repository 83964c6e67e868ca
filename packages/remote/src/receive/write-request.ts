import { InputError } from '@pollux/base';
import { METRIC_NAME } from '@pollux/model';
import {
  APPEND_OUTCOME,
  type Appendable,
  type Appender,
  type SeriesRef,
  seriesOfUtf8,
} from '@pollux/storage';
import { NOT_SOUGHT, type WriteRequestColumns } from '../codec/v1/decode-write.ts';
import { readLabelSpans } from '../codec/v1/label-spans.ts';
import { decodeLabels } from '../codec/v1/labels.ts';

/** Knows which label bytes mean which series; 0 is none. */
export type SeriesLookup = {
  find(data: Uint8Array, start: number, end: number): SeriesRef;
  /** Remembers or replaces; `ref` 0 forgets. */
  set(data: Uint8Array, start: number, end: number, ref: SeriesRef): void;
};

/** Samples that the storage refuses: out of order, duplicate, out of bounds. HTTP 400; nothing of the request was kept. */
export class SamplesRefusedError extends InputError {
  constructor(reason: string, series: string) {
    super('REMOTE.SAMPLES_REFUSED', series === '' ? '' : `series ${series}`, reason);
  }
}

export type Stored = {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** Samples of series with invalid labels, left out as Prometheus does. */
  readonly invalidLabels: number;
  /** The first of them, for the log; empty when there is none. */
  readonly invalidReason: string;
  /** New series that a limit of the storage refused; the rest of the request was stored. */
  readonly limitedSeries: number;
  /** The first of them; empty when there is none. */
  readonly firstLimited: string;
};

/** Series with more labels are resolved by their texts. */
const MAX_SPANNED_LABELS = 128;

/** Prometheus' texts; senders and people look for them. */
const REASONS: Readonly<Record<number, string>> = {
  [APPEND_OUTCOME.duplicate]: 'duplicate sample for timestamp',
  [APPEND_OUTCOME.outOfOrder]: 'out of order sample',
  [APPEND_OUTCOME.outOfBounds]: 'out of bounds',
  [APPEND_OUTCOME.tooOld]: 'too old sample',
  [APPEND_OUTCOME.tooFarAhead]: 'out of bounds: timestamp is too far in the future',
};

/**
 * Stores a decoded request as one batch: all of it, or nothing when the storage refuses a sample (SamplesRefusedError).
 * Series with invalid labels are left out and counted.
 */
export async function storeRequest(
  request: WriteRequestColumns,
  appendable: Appendable,
  cache: SeriesLookup,
): Promise<Stored> {
  // A ref in the cache may have left the storage since; then the labels are resolved anew, once.
  for (const mayRetry of [true, false]) {
    const appender = appendable.appender();
    try {
      const stored = stage(request, appender, cache, mayRetry);
      if (stored !== 'stale-refs') {
        await appender.commit();
        return stored;
      }
    } catch (error) {
      appender.rollback();
      throw error;
    }
    appender.rollback();
    for (let i = 0; i < request.seriesCount; i++) {
      const start = request.labelStarts[i]!;
      const end = request.labelEnds[i]!;
      if (cache.find(request.labelData, start, end) !== 0)
        cache.set(request.labelData, start, end, 0);
      request.seriesRefs[i] = 0;
    }
  }
  throw new SamplesRefusedError('series left the storage while being written; send again', '');
}

function stage(
  request: WriteRequestColumns,
  appender: Appender,
  cache: SeriesLookup,
  mayRetry: boolean,
): Stored | 'stale-refs' {
  const { invalidReason, limited, firstLimited } = resolve(request, appender, cache);
  const refs = request.seriesRefs;
  const count = request.sampleCount;
  const sampleRefs = new Uint32Array(count);
  let timestampsMs = request.timestampsMs;
  let values = request.values;
  let kept = 0;
  let invalidLabels = 0;
  for (let j = 0; j < count; j++) {
    const series = request.sampleSeries[j]!;
    const ref = refs[series]!;
    if (ref !== 0) sampleRefs[kept++] = ref;
    else if (!limited.has(series)) invalidLabels++;
  }
  if (kept < count) ({ timestampsMs, values } = compact(request, refs, kept));
  const outcomes = new Uint8Array(kept);
  const taken = appender.appendFloats(sampleRefs, timestampsMs, values, null, kept, outcomes);
  if (taken < kept) {
    const at = outcomes.findIndex((outcome) => outcome !== APPEND_OUTCOME.ok);
    const outcome = outcomes[at]!;
    if (outcome === APPEND_OUTCOME.unknownRef && mayRetry) return 'stale-refs';
    throw refused(outcome, seriesText(request, refs.indexOf(sampleRefs[at]!)));
  }
  for (const { series, timestampMs, histogram } of request.histograms) {
    const ref = refs[series]!;
    if (ref === 0) {
      if (!limited.has(series)) invalidLabels++;
      continue;
    }
    const outcome = appender.appendHistogram(ref, timestampMs, histogram, 0);
    if (outcome === APPEND_OUTCOME.unknownRef && mayRetry) return 'stale-refs';
    if (outcome !== APPEND_OUTCOME.ok) throw refused(outcome, seriesText(request, series));
  }
  for (const { series, exemplar } of request.exemplars) {
    if (refs[series] !== 0) appender.appendExemplar(refs[series]!, exemplar);
  }
  return {
    samples: kept,
    histograms: request.histograms.length,
    exemplars: request.exemplars.length,
    invalidLabels,
    invalidReason,
    limitedSeries: limited.size,
    firstLimited,
  };
}

/** Fills in the references of the request that are not known; 0 is left for invalid labels and where a limit refuses the series. */
function resolve(
  request: WriteRequestColumns,
  appender: Appender,
  cache: SeriesLookup,
): {
  readonly invalidReason: string;
  /** Numbers of the series that a limit refused. */
  readonly limited: ReadonlySet<number>;
  readonly firstLimited: string;
} {
  const { labelData, labelStarts, labelEnds, seriesCount, seriesRefs } = request;
  // Most requests have no new series.
  let spans: Uint32Array | null = null;
  let invalidReason = '';
  const limited = new Set<number>();
  let firstLimited = '';
  for (let i = 0; i < seriesCount; i++) {
    const sought = seriesRefs[i]!;
    if (sought !== 0 && sought !== NOT_SOUGHT) continue;
    const start = labelStarts[i]!;
    const end = labelEnds[i]!;
    // One that comes twice in a request is found by its labels the second time.
    let ref: SeriesRef = sought === 0 ? 0 : cache.find(labelData, start, end);
    seriesRefs[i] = 0;
    if (ref === 0) {
      spans ??= new Uint32Array(MAX_SPANNED_LABELS * 4);
      const labelCount = readLabelSpans(labelData, start, end, spans);
      if (labelCount > 0) ref = seriesOfUtf8(appender, labelData, spans, labelCount);
      else {
        const decoded = decodeLabels(labelData, start, end);
        let reason = decoded.kind === 'invalid' ? decoded.reason : '';
        if (reason === '' && !decoded.labels.has(METRIC_NAME)) reason = 'no metric name';
        if (reason !== '') {
          if (invalidReason === '') invalidReason = `${reason} in ${decoded.labels.toString()}`;
          continue;
        }
        ref = appender.series(decoded.labels);
      }
      if (ref === 0) {
        limited.add(i);
        if (firstLimited === '') firstLimited = seriesText(request, i);
        continue;
      }
      cache.set(labelData, start, end, ref);
    }
    seriesRefs[i] = ref;
  }
  return { invalidReason, limited, firstLimited };
}

/** The samples of valid series, moved together; values as bits. */
function compact(
  request: WriteRequestColumns,
  refs: Uint32Array,
  kept: number,
): { readonly timestampsMs: Float64Array; readonly values: Float64Array } {
  const timestampsMs = new Float64Array(kept);
  const words = new Uint32Array(kept * 2);
  const source = new Uint32Array(request.values.buffer, request.values.byteOffset);
  let to = 0;
  for (let j = 0; j < request.sampleCount; j++) {
    if (refs[request.sampleSeries[j]!] === 0) continue;
    timestampsMs[to] = request.timestampsMs[j]!;
    words[to * 2] = source[j * 2]!;
    words[to * 2 + 1] = source[j * 2 + 1]!;
    to++;
  }
  return { timestampsMs, values: new Float64Array(words.buffer) };
}

function refused(outcome: number, series: string): SamplesRefusedError {
  return new SamplesRefusedError(REASONS[outcome] ?? 'sample refused', series);
}

function seriesText(request: WriteRequestColumns, series: number): string {
  if (series < 0) return '';
  const { labelData, labelStarts, labelEnds } = request;
  return decodeLabels(labelData, labelStarts[series]!, labelEnds[series]!).labels.toMetricString();
}
