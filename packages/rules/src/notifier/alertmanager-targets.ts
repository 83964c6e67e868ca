import type { TargetGroup } from '@pollux/discovery';
import { Labels, relabel } from '@pollux/model';
import type { AlertmanagersConfig } from './config.ts';

const ADDRESS = '__address__';
const SCHEME = '__scheme__';
const ALERTS_PATH = '__alerts_path__';

export type AlertmanagerTargets = {
  readonly activeUrls: readonly string[];
  readonly droppedUrls: readonly string[];
  /** Addresses that make no URL, in words. */
  readonly faults: readonly string[];
};

/** The addresses to post to, from what discovery found for one entry of the configuration. */
export function alertmanagerTargets(
  config: AlertmanagersConfig,
  groups: readonly TargetGroup[],
): AlertmanagerTargets {
  const activeUrls: string[] = [];
  const droppedUrls: string[] = [];
  const faults: string[] = [];
  for (const group of groups) {
    for (const target of group.targets) {
      // What discovery says of scheme and path goes before the configuration; the target before its group.
      const offered = Labels.from([
        [SCHEME, config.scheme],
        [ALERTS_PATH, alertsPath(config.pathPrefix)],
        ...group.labels,
        ...target,
      ]);
      const kept = relabel(offered, config.relabel);
      if (kept === null) {
        droppedUrls.push(urlOf(offered));
        continue;
      }
      const url = urlOf(kept);
      if (kept.get(ADDRESS).includes('/') || !URL.canParse(url)) {
        faults.push(`"${kept.get(ADDRESS)}" is not a valid hostname`);
      } else activeUrls.push(url);
    }
  }
  return { activeUrls, droppedUrls, faults };
}

function alertsPath(prefix: string): string {
  return `/${prefix}/api/v2/alerts`.replace(/\/{2,}/g, '/');
}

function urlOf(labels: Labels): string {
  return `${labels.get(SCHEME)}://${labels.get(ADDRESS)}${labels.get(ALERTS_PATH)}`;
}
