import { OperatingError } from '@pollux/base';
import type { Engine } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import type { Times } from './pair-question.ts';

/** Of each step, the value of each series; both as texts. */
export type Points = ReadonlyMap<number, ReadonlyMap<string, string>>;

export type Told = {
  readonly points: Points;
  readonly warnings: readonly string[];
  /** Whom the gateway asked. */
  readonly from: string;
};

/** As one server that has `queryable` would answer. */
export async function evaluate(
  engine: Engine,
  query: string,
  { startMs, endMs, stepMs }: Times,
  queryable: Queryable,
): Promise<Points> {
  const common = { query, queryable, limit: 0 };
  const { body } = await engine.encoded(
    stepMs > 0 ? { ...common, startMs, endMs, stepMs } : { ...common, timeMs: startMs },
  );
  if (body.kind !== 'whole')
    throw new OperatingError('SIM.ANSWER_IN_PARTS', 'an answer in parts, which no thread has made');
  return pointsOf(JSON.parse(Buffer.concat(body.pieces).toString()));
}

/** The form of a question to a server. */
export function formOf(query: string, { startMs, endMs, stepMs }: Times): URLSearchParams {
  const form = new URLSearchParams({ query });
  if (stepMs > 0) {
    form.set('start', String(startMs / 1_000));
    form.set('end', String(endMs / 1_000));
    form.set('step', String(stepMs / 1_000));
  } else form.set('time', String(startMs / 1_000));
  return form;
}

type WireSeries = {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, unknown];
  readonly values?: readonly (readonly [number, unknown])[];
};

export function pointsOf({ result }: { readonly result: readonly WireSeries[] }): Points {
  const points = new Map<number, Map<string, string>>();
  for (const { metric, value, values = [] } of result) {
    const key = JSON.stringify(Object.entries(metric).sort());
    for (const [seconds, point] of value === undefined ? values : [value]) {
      const timeMs = Math.round(seconds * 1_000);
      const step = points.get(timeMs) ?? new Map<string, string>();
      step.set(key, String(point));
      points.set(timeMs, step);
    }
  }
  return points;
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/**
 * To the last digit, but for ranges: an engine that walks one adds up in another order than one that begins in its
 * middle.
 */
export function isSameAt(a: Points, b: Points, at: number, { stepMs }: Times): boolean {
  const left = a.get(at) ?? NOTHING;
  const right = b.get(at) ?? NOTHING;
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => {
    const other = right.get(key);
    if (other === undefined || value === other || stepMs === 0) return value === other;
    return Math.abs(Number(value) - Number(other)) <= Math.abs(Number(value)) * 1e-9;
  });
}

export function textAt(points: Points, at: number): string {
  const lines = [...(points.get(at) ?? NOTHING)].map(([key, value]) => `${key} ${value}`).sort();
  return lines.length === 0 ? 'nothing' : lines.join(' ');
}
