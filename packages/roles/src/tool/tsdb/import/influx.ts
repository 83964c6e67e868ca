import { type Clock, type Files, InputError } from '@pollux/base';
import { lineEnd, type ParsedLines, type Precision, parseLines } from '@pollux/influx';
import { isLegacyLabelName, isLegacyMetricName, Labels, METRIC_NAME, wordsOf } from '@pollux/model';
import { FilePieces } from './file-pieces.ts';
import type { SampleSource, SampleTarget } from './sample-source.ts';

export type InfluxMapping = {
  readonly precision: Precision;
  /** Keeps names that Prometheus 2 cannot write; otherwise their odd characters become underscores. */
  readonly keepsNames: boolean;
  /** Put on every series; they win. */
  readonly extra: Readonly<Record<string, string>>;
};

const MAX_POINT_LENGTH = 16 * 1024 * 1024;

/**
 * The samples of a file in InfluxDB's line protocol, also as `influx_inspect export` writes it. The field f of measurement
 * m is metric m_f, tags are labels; booleans are 1 and 0; strings are left out.
 */
export function influxSource(
  files: Files,
  path: string,
  options: InfluxMapping & { readonly clock: Clock },
): SampleSource {
  return async (target) => {
    const pieces = new FilePieces(files, path);
    const decoder = new TextDecoder();
    const nowMs = options.clock.now();
    let rest = '';
    const take = (body: string): void => {
      const parsed = parseLines(withoutStatements(body), options.precision, nowMs);
      const [failure] = parsed.failures;
      if (failure !== undefined) throw new InputError('ROLES.IMPORT', path, failure);
      addPoints(parsed, options, target);
    };
    try {
      for (let bytes = pieces.next(); bytes !== null; bytes = pieces.next()) {
        const text = rest + decoder.decode(bytes, { stream: true });
        const end = wholePoints(text);
        if (end === 0 && text.length > MAX_POINT_LENGTH)
          throw new InputError('ROLES.IMPORT', path, 'a quoted text does not end');
        take(text.slice(0, end));
        rest = text.slice(end);
        await target.pause(pieces.doneBytes, pieces.totalBytes);
      }
      take(rest + decoder.decode());
    } finally {
      pieces.close();
    }
  };
}

/** Where the last point that has its newline ends; a newline inside of a quoted text ends none. */
function wholePoints(text: string): number {
  let at = 0;
  for (;;) {
    const end = lineEnd(text, at);
    if (end >= text.length) return at;
    at = end + 1;
  }
}

/** An export begins with a statement for each database. */
function withoutStatements(body: string): string {
  return body.includes('CREATE DATABASE ') ? body.replace(/^CREATE DATABASE .*$/gm, '') : body;
}

function addPoints(
  { batch, droppedPoints, dropReason }: ParsedLines,
  mapping: InfluxMapping,
  target: SampleTarget,
): void {
  const { count, series, fields, seriesOf, fieldOf, timesMs, cells } = batch;
  const integers = new BigInt64Array(cells.buffer, cells.byteOffset, cells.length);
  const value = new Float64Array(1);
  const words = wordsOf(value);
  const names = series.map(({ measurement, tags }) => `${measurement}\u0000${tags.key()}\u0000`);
  let texts = 0;
  for (let row = 0; row < count; row++) {
    const field = fields[fieldOf[row]!]!;
    if (field.kind === 'string') {
      texts++;
      continue;
    }
    value[0] = field.kind === 'integer' ? Number(integers[row]) : cells[row]!;
    const key = series[seriesOf[row]!]!;
    target.add(
      names[seriesOf[row]!]! + field.name,
      () => seriesLabels(`${key.measurement}_${field.name}`, key.tags, mapping),
      { timestampMs: timesMs[row]!, valueLow: words[0]!, valueHigh: words[1]! },
    );
  }
  target.leftOut('values of text fields', texts);
  target.leftOut(`points (${dropReason ?? ''})`, droppedPoints);
}

function seriesLabels(metric: string, tags: Labels, mapping: InfluxMapping): Labels {
  const { keepsNames, extra } = mapping;
  const pairs = [...tags].map(
    ([name, value]) =>
      [
        keepsNames || isLegacyLabelName(name) ? name : plainName(name, /[^a-zA-Z0-9_]/g),
        value,
      ] as const,
  );
  const name =
    keepsNames || isLegacyMetricName(metric) ? metric : plainName(metric, /[^a-zA-Z0-9_:]/g);
  return Labels.from([...pairs, [METRIC_NAME, name] as const, ...Object.entries(extra)]);
}

function plainName(name: string, odd: RegExp): string {
  const plain = name.replace(odd, '_');
  return /^\d/.test(plain) ? `_${plain}` : plain;
}
