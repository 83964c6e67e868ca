export {
  DEFAULT_GLOBAL_SCRAPE,
  decodeScrapeConfig,
  type GlobalScrape,
  globalScrape,
  globalScrapeFields,
  type ScrapeConfig,
  scrapeConfigs,
} from './config.ts';
export { ScrapeError } from './errors.ts';
export type { TargetHealth } from './scrape-loop.ts';
export {
  type ScrapeChange,
  ScrapeManager,
  type ScrapeManagerConfig,
  type ScrapeManagerOptions,
  type TargetMetadata,
} from './scrape-manager.ts';
export {
  populateTarget,
  type Target,
  type TargetOutcome,
} from './target-labels.ts';
export type { ActiveTarget, Targets } from './target-status.ts';
