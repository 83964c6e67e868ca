import type { TargetsPort, TargetView } from '@pollux/api';
import { Labels, type Metadata, parseDuration } from '@pollux/model';
import type { ScrapeManager } from '@pollux/scrape';

/** Gives the api room the scrape targets in the form that it declares. */
export function bindTargets(manager: ScrapeManager): TargetsPort {
  return {
    pools: () => manager.scrapePools(),
    active: () => {
      const metadata = new MetadataByTarget(manager);
      return manager.targets().activeTargets.map((target): TargetView => {
        const labels = Labels.from(target.labels);
        const lastScrapeMs = Date.parse(target.lastScrape);
        return {
          ...target,
          labels,
          discoveredLabels: Labels.from(target.discoveredLabels),
          // Go's zero time, year 1, stands for never.
          lastScrapeMs: lastScrapeMs < 0 ? null : lastScrapeMs,
          lastScrapeDurationSeconds: target.lastScrapeDuration,
          intervalMs: parseDuration(target.scrapeInterval),
          timeoutMs: parseDuration(target.scrapeTimeout),
          metadata: () => metadata.of(target.scrapePool, labels),
        };
      });
    },
    dropped: () =>
      manager.targets().droppedTargets.map(({ scrapePool, discoveredLabels }) => ({
        scrapePool,
        discoveredLabels: Labels.from(discoveredLabels),
      })),
    droppedCounts: () => manager.targets().droppedTargetCounts,
  };
}

/** One walk over all metadata serves every target of an answer. */
class MetadataByTarget {
  readonly #manager: ScrapeManager;
  #found: Map<string, [string, Metadata][]> | null = null;

  constructor(manager: ScrapeManager) {
    this.#manager = manager;
  }

  of(pool: string, labels: Labels): Iterable<readonly [string, Metadata]> {
    this.#found ??= this.#collect();
    return this.#found.get(`${pool} ${labels.key()}`) ?? [];
  }

  #collect(): Map<string, [string, Metadata][]> {
    const found = new Map<string, [string, Metadata][]>();
    for (const { scrapePool, target, metric, metadata } of this.#manager.metadata()) {
      const key = `${scrapePool} ${target.key()}`;
      const list = found.get(key);
      if (list === undefined) found.set(key, [[metric, metadata]]);
      else list.push([metric, metadata]);
    }
    return found;
  }
}
