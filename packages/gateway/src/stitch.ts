import { OperatingError } from '@pollux/base';
import { Labels } from '@pollux/model';

export class BadAnswerError extends OperatingError {
  constructor(member: string, what: string) {
    super('GATEWAY.BAD_ANSWER', `member ${member} answered ${what}`);
  }
}

type MatrixSeries = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
  readonly histograms?: readonly unknown[];
};

/** A successful answer of `/api/v1/query` or `/query_range`. */
export type Answer = {
  readonly status: 'success';
  readonly data: {
    readonly resultType: string;
    readonly result: unknown;
    readonly stats?: unknown;
  };
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
};

export function parseAnswer(body: Uint8Array, member: string): Answer {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw new BadAnswerError(member, `no JSON: ${String(error)}`);
  }
  if (!isAnswer(value)) throw new BadAnswerError(member, 'no query result');
  return value;
}

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== 'object' || value === null || !('status' in value) || !('data' in value))
    return false;
  const { data } = value;
  return (
    value.status === 'success' && typeof data === 'object' && data !== null && 'resultType' in data
  );
}

/**
 * Joins the answers to consecutive pieces of one range query. Pieces hold disjoint steps in time order, so the points of a
 * series are simply put one after the other; series come out sorted by labels as a single server gives them.
 */
export function stitchPieces(answers: readonly Answer[]): Answer {
  const [first] = answers;
  if (first === undefined) throw new BadAnswerError('', 'nothing');
  const series = new Map<string, { labels: Labels; values: unknown[]; histograms: unknown[] }>();
  for (const answer of answers) {
    for (const { metric, values = [], histograms = [] } of answer.data
      .result as readonly MatrixSeries[]) {
      const labels = Labels.from(metric);
      const known = series.get(labels.key());
      if (known === undefined) {
        series.set(labels.key(), { labels, values: [...values], histograms: [...histograms] });
      } else {
        for (const value of values) known.values.push(value);
        for (const histogram of histograms) known.histograms.push(histogram);
      }
    }
  }
  const result = [...series.values()]
    .sort((a, b) => a.labels.compare(b.labels))
    .map(({ labels, values, histograms }) => ({
      metric: labels.toObject(),
      ...(values.length > 0 ? { values } : {}),
      ...(histograms.length > 0 ? { histograms } : {}),
    }));
  return {
    status: 'success',
    data: { resultType: 'matrix', result },
    ...joined('warnings', answers),
    ...joined('infos', answers),
  };
}

type AnySeries = MatrixSeries & { readonly value?: unknown; readonly histogram?: unknown };

/**
 * The answer with series that lack the labels that tell replicas apart. Of series that are then the same the one with most points stays:
 * samples of two replicas are never mixed.
 */
export function withoutLabels(answer: Answer, names: readonly string[]): Answer {
  const { resultType, result } = answer.data;
  if (names.length === 0 || (resultType !== 'vector' && resultType !== 'matrix')) return answer;
  const dropped = new Set(names);
  const found = new Map<string, AnySeries>();
  for (const series of result as readonly AnySeries[]) {
    const labels = Labels.from(series.metric).drop(dropped);
    const known = found.get(labels.key());
    if (known !== undefined && pointsOf(known) >= pointsOf(series)) continue;
    found.set(labels.key(), { ...series, metric: labels.toObject() });
  }
  return { ...answer, data: { ...answer.data, result: [...found.values()] } };
}

function pointsOf({ values = [], histograms = [] }: AnySeries): number {
  return values.length + histograms.length;
}

function joined(
  field: 'warnings' | 'infos',
  answers: readonly Answer[],
): Partial<Record<typeof field, readonly string[]>> {
  const all = new Set(answers.flatMap((answer) => answer[field] ?? []));
  return all.size === 0 ? {} : { [field]: [...all] };
}

/** The answer with further warnings. */
export function withWarnings(answer: Answer, warnings: readonly string[]): Answer {
  return warnings.length === 0
    ? answer
    : { ...answer, warnings: [...(answer.warnings ?? []), ...warnings] };
}
