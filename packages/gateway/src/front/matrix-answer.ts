import type { HttpResponse } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { RangeMatrix } from '@pollux/promql';

type WireSeries = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [seconds: number, value: string])[];
};

/** The body of an answer that is no stream. */
export function bytesOf({ body }: HttpResponse): Uint8Array {
  return body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : '');
}

/**
 * The matrix of a plain answer to a range query; null for anything else: an error, remarks, histograms, figures, or what several
 * replicas had to give together.
 */
export function matrixOf(
  response: HttpResponse,
  isOfOneReplica: (replica: string) => boolean,
): RangeMatrix | null {
  const { status, headers } = response;
  const replica = headers?.['x-pollux-replica'];
  if (status !== 200 || typeof replica !== 'string' || !isOfOneReplica(replica)) return null;
  const answer = JSON.parse(new TextDecoder().decode(bytesOf(response))) as {
    readonly data?: { readonly resultType?: unknown; readonly result?: unknown };
    readonly warnings?: unknown;
    readonly infos?: unknown;
  };
  const { data } = answer;
  if (answer.warnings !== undefined || answer.infos !== undefined) return null;
  if (data === undefined || Object.keys(data).length !== 2) return null;
  if (data.resultType !== 'matrix' || !Array.isArray(data.result)) return null;
  const series: RangeMatrix['series'][number][] = [];
  for (const { metric, values, ...more } of data.result as readonly WireSeries[]) {
    if (values === undefined || Object.keys(more).length > 0) return null;
    const count = values.length;
    const timestampsMs = new Float64Array(count);
    const numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const [seconds, value] = values[i]!;
      timestampsMs[i] = Math.round(seconds * 1_000);
      numbers[i] = numberOf(value);
    }
    const labels = Labels.from(metric);
    series.push({ labels, count, timestampsMs, values: numbers, histograms: null });
  }
  return { kind: 'matrix', series };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
