import { type Files, InputError } from '@pollux/base';
import { LineParser, ParseError, SampleColumns } from '@pollux/exposition';
import { type Labels, LabelsBuilder } from '@pollux/model';
import { FilePieces } from './file-pieces.ts';
import type { SampleSource, SampleTarget } from './sample-source.ts';

/** The samples of an OpenMetrics text file; `extra` labels are put on every series and win. */
export function openMetricsSource(
  files: Files,
  path: string,
  extra: Readonly<Record<string, string>>,
): SampleSource {
  return async (target) => {
    const pieces = new FilePieces(files, path);
    try {
      const reader = new Reader(target, extra);
      for (let bytes = pieces.next(); bytes !== null; bytes = pieces.next()) {
        try {
          reader.read(bytes);
        } catch (error) {
          if (!(error instanceof ParseError)) throw error;
          throw fault(path, error.line + pieces.linesBefore, error.reason);
        }
        await target.pause(pieces.doneBytes, pieces.totalBytes);
      }
      if (!reader.hasEnded)
        throw new InputError('ROLES.IMPORT', path, 'data does not end with # EOF');
    } finally {
      pieces.close();
    }
  };
}

function fault(path: string, line: number, reason: string): InputError {
  return new InputError('ROLES.IMPORT', `${path}, line ${line}`, reason);
}

class Reader {
  readonly #target: SampleTarget;
  readonly #extra: readonly (readonly [string, string])[];
  readonly #parser = new LineParser('openmetrics');
  readonly #value = new SampleColumns();
  hasEnded = false;

  constructor(target: SampleTarget, extra: Readonly<Record<string, string>>) {
    this.#target = target;
    this.#extra = Object.entries(extra);
    this.#value.reserve(1);
  }

  read(bytes: Uint8Array): void {
    const parser = this.#parser;
    // The last TYPE line holds on in the next piece.
    const { metricType } = parser;
    parser.reset(bytes);
    parser.metricType = metricType;
    const labels = (): Labels => this.#labels();
    const sample = { timestampMs: 0, valueLow: 0, valueHigh: 0 };
    while (parser.end < bytes.length) {
      if (this.hasEnded) throw parser.error(parser.end, 'unexpected data after # EOF');
      const start = parser.end;
      const kind = parser.readLine(start);
      if (kind === 'eof') this.hasEnded = true;
      if (kind !== 'sample') continue;
      if (Number.isNaN(parser.timestampMs))
        throw parser.error(start, 'expected timestamp for series got none');
      parser.storeValue(this.#value, 0);
      sample.timestampMs = parser.timestampMs;
      sample.valueLow = this.#value.valueWords[0]!;
      sample.valueHigh = this.#value.valueWords[1]!;
      this.#target.add(parser.seriesKey(), labels, sample);
    }
  }

  #labels(): Labels {
    const labels = this.#parser.labels();
    if (this.#extra.length === 0) return labels;
    const builder = new LabelsBuilder(labels);
    for (const [name, value] of this.#extra) builder.set(name, value);
    return builder.build();
  }
}
