import { formatDuration } from '@pollux/model';
import type { ScrapeLoop, TargetHealth } from './scrape-loop.ts';

/** One entry of `activeTargets` of `/api/v1/targets`, field for field. */
export type ActiveTarget = {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  /** RFC 3339; year 1 before the first scrape, as Go prints its zero time. */
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  readonly health: TargetHealth;
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
};

export type Targets = {
  readonly activeTargets: readonly ActiveTarget[];
  readonly droppedTargets: readonly {
    readonly discoveredLabels: Readonly<Record<string, string>>;
    readonly scrapePool: string;
  }[];
  readonly droppedTargetCounts: Readonly<Record<string, number>>;
};

const NEVER = '0001-01-01T00:00:00Z';

export function activeTarget(
  scrapePool: string,
  loop: ScrapeLoop,
  globalUrl: (url: string) => string,
): ActiveTarget {
  const { target } = loop;
  return {
    discoveredLabels: target.discovered.toObject(),
    labels: target.labels.toObject(),
    scrapePool,
    scrapeUrl: target.url,
    globalUrl: globalUrl(target.url),
    lastError: loop.lastError,
    lastScrape: loop.lastScrapeMs === 0 ? NEVER : new Date(loop.lastScrapeMs).toISOString(),
    lastScrapeDuration: loop.lastDurationSeconds,
    health: loop.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}
