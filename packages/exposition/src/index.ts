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
export {
  acceptHeader,
  DEFAULT_SCRAPE_PROTOCOLS,
  type EscapingScheme,
  type ExpositionFormat,
  type Negotiated,
  negotiate,
  SCRAPE_PROTOCOLS,
  type ScrapeProtocol,
} from './protocol.ts';
export { SampleColumns } from './sample-columns.ts';
export { type NewSeries, ScrapeTemplate, type SeriesExemplar } from './scrape-template.ts';
export { TextWriter } from './text-writer.ts';
