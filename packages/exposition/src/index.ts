export { ParseError } from './errors.ts';
export { formatOpenMetricsFloat } from './float.ts';
export { LineParser } from './line-parser.ts';
export { checkOpenMetrics } from './openmetrics-check.ts';
export {
  type ExpositionSink,
  type MetadataLine,
  parseExposition,
  type SampleLine,
} from './parse.ts';
export { ProtobufTemplate } from './protobuf/protobuf-template.ts';
export {
  acceptHeader,
  DEFAULT_SCRAPE_PROTOCOLS,
  type EscapingScheme,
  type ExpositionFormat,
  type Negotiated,
  negotiate,
  PROTOBUF_FIRST_SCRAPE_PROTOCOLS,
  SCRAPE_PROTOCOLS,
  type ScrapeProtocol,
  type TextFormat,
} from './protocol.ts';
export { SampleColumns } from './sample-columns.ts';
export type {
  HistogramOptions,
  NewSeries,
  ScrapeParser,
  SeriesExemplar,
  SeriesHistogram,
} from './scrape-parser.ts';
export { ScrapeTemplate } from './scrape-template.ts';
export { TextWriter } from './text-writer.ts';
