import { InputError } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { CoverageReport, SubjectReport } from './coverage-log.ts';
import { type IntervalSet, intervalSet } from './interval-set.ts';

export const COVERAGE_HEADER = 'x-pollux-coverage';
const MAX_HEADER_LENGTH = 4_096;
/** Of at most 29 characters each. */
const MAX_NEWEST_GAPS = 100;
const MAX_INTERVALS = 100_000;

/** The JSON of `/api/v1/pollux/coverage`; intervals are flat: start, end, start, end … in ms. */
export type CoverageWire = {
  readonly config: string;
  readonly now: number;
  /** Where the server's known past begins, ms. */
  readonly since: number;
  /** Where what it has at least in buckets begins, ms; left out where that is `since`. */
  readonly bucketsSince?: number;
  readonly serverGaps: readonly number[];
  /** Left out where there are none. */
  readonly seams?: readonly number[];
  readonly externalLabels?: Readonly<Record<string, string>>;
  readonly subjects: readonly {
    readonly key: string;
    readonly kind: 'target' | 'group';
    readonly interval: number;
    readonly labels: Readonly<Record<string, string>>;
    readonly metricNames: readonly string[];
    readonly gaps: readonly number[];
    readonly failures: readonly number[];
  }[];
};

export function toWire(report: CoverageReport): CoverageWire {
  return {
    config: report.configIdentity,
    now: report.nowMs,
    since: report.sinceMs,
    ...(report.bucketsSinceMs < report.sinceMs ? { bucketsSince: report.bucketsSinceMs } : {}),
    serverGaps: flatten(report.serverGaps),
    ...(report.seams === undefined ? {} : { seams: flatten(report.seams) }),
    ...(report.externalLabels === undefined
      ? {}
      : { externalLabels: report.externalLabels.toObject() }),
    subjects: report.subjects.map(({ subject, intervalMs, gaps, failures }) => ({
      key: subject.key,
      kind: subject.kind,
      interval: intervalMs,
      labels: subject.labels.toObject(),
      metricNames: subject.metricNames,
      gaps: flatten(gaps),
      failures: flatten(failures),
    })),
  };
}

/** Checks and reads a report that came over HTTP. */
export function fromWire(value: unknown): CoverageReport {
  const wire = record(value, 'report');
  const subjects: SubjectReport[] = list(wire.subjects, 'subjects').map((item) => {
    const subject = record(item, 'subject');
    return {
      subject: {
        key: text(subject.key, 'key'),
        kind: subject.kind === 'group' ? 'group' : 'target',
        labels: labels(subject.labels),
        metricNames: list(subject.metricNames, 'metricNames').map((name) => text(name, 'name')),
      },
      intervalMs: number(subject.interval, 'interval'),
      gaps: unflatten(subject.gaps),
      failures: unflatten(subject.failures),
    };
  });
  const sinceMs = number(wire.since, 'since');
  return {
    configIdentity: text(wire.config, 'config'),
    nowMs: number(wire.now, 'now'),
    sinceMs,
    bucketsSinceMs:
      wire.bucketsSince === undefined
        ? sinceMs
        : Math.min(sinceMs, number(wire.bucketsSince, 'bucketsSince')),
    serverGaps: unflatten(wire.serverGaps),
    ...(wire.seams === undefined ? {} : { seams: unflatten(wire.seams) }),
    ...(wire.externalLabels === undefined ? {} : { externalLabels: labels(wire.externalLabels) }),
    subjects,
  };
}

function labels(value: unknown): Labels {
  const pairs = Object.entries(record(value, 'labels'));
  return Labels.from(pairs.map(([name, label]) => [name, text(label, name)] as const));
}

/** The short form that travels with an answer: identity, time, and the union of gaps and failures it met. */
export type CoverageSummary = {
  readonly configIdentity: string;
  readonly nowMs: number;
  readonly sinceMs: number;
  readonly gaps: IntervalSet;
  readonly failures: IntervalSet;
  /** Where the whole report is, when it was too long for a header. */
  readonly url: string | null;
};

export function summaryOf(report: CoverageReport): CoverageSummary {
  return {
    configIdentity: report.configIdentity,
    nowMs: report.nowMs,
    sinceMs: report.sinceMs,
    gaps: intervalSet([
      ...report.serverGaps,
      ...report.subjects.flatMap((subject) => subject.gaps),
    ]),
    failures: intervalSet(report.subjects.flatMap((subject) => subject.failures)),
    url: null,
  };
}

/**
 * `config=…; now=…; since=…; gaps=1-2,5-9; failures=`. When longer than 4 kB, the newest gaps and, under `url=`, where all
 * is: who polls the reports knows the older ones.
 */
export function encodeHeader(summary: CoverageSummary, url: () => string): string {
  const head = `config=${summary.configIdentity}; now=${summary.nowMs}; since=${summary.sinceMs}`;
  const full = `${head}; gaps=${spans(summary.gaps)}; failures=${spans(summary.failures)}`;
  if (full.length <= MAX_HEADER_LENGTH) return full;
  return `${head}; gaps=${spans(summary.gaps.slice(-MAX_NEWEST_GAPS))}; url=${url()}`;
}

/** Null when the header is missing or not of this form: the upstream then counts as a plain Prometheus. */
export function decodeHeader(header: string | undefined): CoverageSummary | null {
  if (header === undefined) return null;
  const fields = new Map<string, string>();
  for (const part of header.split('; ')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at), part.slice(at + 1));
  }
  const nowMs = Number(fields.get('now'));
  const sinceMs = Number(fields.get('since'));
  const configIdentity = fields.get('config');
  if (configIdentity === undefined || !Number.isFinite(nowMs) || !Number.isFinite(sinceMs))
    return null;
  const gaps = parseSpans(fields.get('gaps') ?? '');
  const failures = parseSpans(fields.get('failures') ?? '');
  if (gaps === null || failures === null) return null;
  return { configIdentity, nowMs, sinceMs, gaps, failures, url: fields.get('url') ?? null };
}

function spans(set: IntervalSet): string {
  return set.map(({ startMs, endMs }) => `${startMs}-${endMs}`).join(',');
}

function parseSpans(value: string): IntervalSet | null {
  if (value === '') return [];
  const intervals = [];
  for (const span of value.split(',')) {
    const match = /^(-?\d+)-(-?\d+)$/.exec(span);
    if (match === null) return null;
    intervals.push({ startMs: Number(match[1]), endMs: Number(match[2]) });
  }
  return intervalSet(intervals);
}

function flatten(set: IntervalSet): number[] {
  return set.flatMap(({ startMs, endMs }) => [startMs, endMs]);
}

function unflatten(value: unknown): IntervalSet {
  const flat = list(value, 'intervals').map((item) => number(item, 'interval'));
  if (flat.length % 2 !== 0 || flat.length > MAX_INTERVALS) throw malformed('intervals');
  const intervals = [];
  for (let i = 0; i < flat.length; i += 2)
    intervals.push({ startMs: flat[i]!, endMs: flat[i + 1]! });
  return intervalSet(intervals);
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw malformed(what);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw malformed(what);
  return value;
}

function malformed(what: string): InputError {
  return new InputError('STORAGE.BAD_COVERAGE', 'coverage report', `malformed ${what}`);
}
