export type { Collector } from './collector.ts';
export { COLLECTORS } from './collectors/table.ts';
export {
  DEFAULT_EXCLUSIONS,
  type Exclusions,
  Host,
  HostFormatError,
  type HostOptions,
} from './host.ts';
export { type NodeExporterOptions, registerNodeExporter } from './routes.ts';
export {
  CollectorRequestError,
  enabledCollectors,
  requestedCollectors,
  runCollectors,
} from './scrape.ts';
