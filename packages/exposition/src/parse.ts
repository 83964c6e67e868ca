import type { Exemplar, Labels, MetricType } from '@pollux/model';
import { LineParser } from './line-parser.ts';
import type { TextFormat } from './protocol.ts';

/** One sample, valid only during the call: the object is used again for the next line. */
export interface SampleLine {
  readonly bytes: Uint8Array;
  /** The series as written lies in `bytes[seriesStart, seriesEnd)`. */
  readonly seriesStart: number;
  readonly seriesEnd: number;
  readonly value: number;
  /** Whole milliseconds; NaN when the line gave none. */
  readonly timestampMs: number;
  readonly hasExemplar: boolean;
  labels(): Labels;
  exemplar(): Exemplar;
}

export type MetadataLine =
  | { readonly kind: 'help' | 'unit'; readonly metric: string; readonly text: string }
  | { readonly kind: 'type'; readonly metric: string; readonly type: MetricType };

export interface ExpositionSink {
  sample(line: SampleLine): void;
  metadata?(line: MetadataLine): void;
}

/**
 * Reads a whole exposition, each line in order. As lenient as Prometheus about what families mean; `checkOpenMetrics` is
 * the strict judge. Throws ParseError; lines before it have been reported.
 */
export function parseExposition(bytes: Uint8Array, format: TextFormat, sink: ExpositionSink): void {
  const parser = new LineParser(format);
  parser.reset(bytes);
  while (parser.end < bytes.length) {
    const start = parser.end;
    const kind = parser.readLine(start);
    switch (kind) {
      case 'sample':
        sink.sample(parser);
        break;
      case 'help':
      case 'unit':
        sink.metadata?.({ kind, metric: parser.metricName, text: parser.text });
        break;
      case 'type':
        sink.metadata?.({ kind, metric: parser.metricName, type: parser.metricType });
        break;
      case 'comment':
      case 'blank':
        break;
      case 'eof':
        if (parser.end < bytes.length)
          throw parser.error(parser.end, 'unexpected data after # EOF');
        return;
    }
  }
  if (format === 'openmetrics') throw parser.error(bytes.length, 'data does not end with # EOF');
}
