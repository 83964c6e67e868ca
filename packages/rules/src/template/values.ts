import {
  type CustomParam,
  FunctionError,
  GoList,
  GoStruct,
  type GoType,
  stringMap,
  typeName,
  type Value,
} from '@pollux/gotemplate';
import { type FloatHistogram, formatFloat, type Labels, parseFloatText } from '@pollux/model';
import { histogramText } from '@pollux/promql';
import type { RuleVector } from '../rule-query.ts';

const SAMPLE: GoType = { name: '*template.sample' };
const QUERY_RESULT: GoType = { name: 'template.queryResult' };
const HISTOGRAM: GoType = {
  name: '*histogram.FloatHistogram',
  methods: { String: { params: [], call: (self) => fieldOf(self, 'text') } },
};
const NANOSECONDS_PER_SECOND = 1e9;

/** `*time.Time`; one field, the seconds since 1970. */
const TIME: GoType = {
  name: '*time.Time',
  methods: {
    String: { params: [], call: (self) => formatTime(secondsOf(self)) },
    Unix: { params: [], call: (self) => BigInt(Math.floor(secondsOf(self))) },
    UnixMilli: { params: [], call: (self) => BigInt(Math.floor(secondsOf(self) * 1000)) },
  },
};

/** `*time.Duration`; one field, the seconds. */
const DURATION: GoType = {
  name: '*time.Duration',
  methods: {
    String: { params: [], call: (self) => formatGoDuration(secondsOf(self)) },
    Seconds: { params: [], call: (self) => secondsOf(self) },
    Minutes: { params: [], call: (self) => secondsOf(self) / 60 },
    Hours: { params: [], call: (self) => secondsOf(self) / 3_600 },
    Milliseconds: { params: [], call: (self) => BigInt(Math.trunc(secondsOf(self) * 1_000)) },
  },
};

export const SAMPLE_PARAM: CustomParam = {
  name: '*template.sample',
  nilable: true,
  accepts: (value) => value === null || (value instanceof GoStruct && value.type === SAMPLE),
};

export const QUERY_RESULT_PARAM: CustomParam = {
  name: 'template.queryResult',
  nilable: true,
  accepts: (value) => value === null || (value instanceof GoList && value.type === QUERY_RESULT),
};

export function labelsValue(labels: Labels): Value {
  return stringMap(labels);
}

/** A float, or a histogram that prints as Prometheus prints it. */
export function elementValue(value: number, histogram: FloatHistogram | null): Value {
  if (histogram === null) return value;
  return new GoStruct(HISTOGRAM, { text: histogramText(histogram) });
}

export function queryResultValue(vector: RuleVector): Value {
  const items = vector.labels.map(
    (labels, index) =>
      new GoStruct(SAMPLE, { Labels: labelsValue(labels), Value: vector.values[index]! }),
  );
  return new GoList(QUERY_RESULT, items);
}

export function queryResultItems(value: Value): readonly GoStruct[] {
  return value instanceof GoList ? (value.items as readonly GoStruct[]) : [];
}

export function queryResultOf(items: readonly GoStruct[]): Value {
  return new GoList(QUERY_RESULT, items);
}

export function timeValue(seconds: number): Value {
  return new GoStruct(TIME, { seconds });
}

export function durationValue(seconds: number): Value {
  return new GoStruct(DURATION, { seconds });
}

/** What the humanizing functions take: numbers, texts of numbers, durations. */
export function toFloat(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const parsed = parseFloatText(value);
    if (parsed !== null) return parsed;
    throw new FunctionError(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  if (value instanceof GoStruct && value.type === DURATION) return secondsOf(value);
  throw new FunctionError(`can't convert ${typeName(value)} to float`);
}

/** `2009-11-10 23:00:00.5 +0000 UTC`, as Go prints a time in UTC. */
export function formatTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const date = new Date(whole * 1000);
  if (Number.isNaN(date.getTime())) {
    throw new FunctionError(
      `${formatFloat(seconds)} cannot be represented as a nanoseconds timestamp`,
    );
  }
  const [day, time] = date.toISOString().split('T') as [string, string];
  const nanos = Math.round((seconds - whole) * NANOSECONDS_PER_SECOND);
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return `${day} ${time.slice(0, 8)}${fraction} +0000 UTC`;
}

/** Go's time.Duration.String: `1h2m3.5s`, `1.5ms`, `0s`. */
function formatGoDuration(seconds: number): string {
  const nanos = Math.trunc(Math.abs(seconds) * NANOSECONDS_PER_SECOND);
  const sign = seconds < 0 && nanos > 0 ? '-' : '';
  if (nanos === 0) return '0s';
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${trimmed(nanos / 1e3)}µs`;
  if (nanos < NANOSECONDS_PER_SECOND) return `${sign}${trimmed(nanos / 1e6)}ms`;
  const whole = Math.floor(nanos / NANOSECONDS_PER_SECOND);
  const rest = (nanos - whole * NANOSECONDS_PER_SECOND) / NANOSECONDS_PER_SECOND;
  const h = Math.floor(whole / 3_600);
  const m = Math.floor(whole / 60) % 60;
  const s = trimmed((whole % 60) + rest);
  return sign + (h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`);
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(9)));
}

function secondsOf(value: Value): number {
  const seconds = fieldOf(value, 'seconds');
  return typeof seconds === 'number' ? seconds : 0;
}

function fieldOf(value: Value, name: string): Value {
  return value instanceof GoStruct ? (value.fields[name] ?? null) : null;
}
