import {
  compareText,
  formatDuration,
  type Matcher,
  type Metadata,
  matchesAll,
} from '@pollux/model';
import type { ApiHandler } from '../call.ts';
import type { AlertmanagersPort, MetadataSource, TargetsPort, TargetView } from '../ports.ts';
import { encodeTime } from '../wire/encode.ts';
import { ApiError, badData } from '../wire/errors.ts';
import { parseInteger, selector } from '../wire/parameters.ts';

/** /api/v1/scrape_pools */
export function scrapePools(port: TargetsPort): ApiHandler {
  return () => ({ kind: 'data', data: { scrapePools: [...port.pools()].sort(compareText) } });
}

/** /api/v1/targets */
export function targets(port: TargetsPort): ApiHandler {
  return ({ form }) => {
    const state = (form.get('state') ?? '').toLowerCase();
    const pool = form.get('scrapePool') ?? '';
    const isWanted = (view: { readonly scrapePool: string }): boolean =>
      pool === '' || view.scrapePool === pool;
    const showsActive = state === '' || state === 'any' || state === 'active';
    const showsDropped = state === '' || state === 'any' || state === 'dropped';
    const counts = Object.entries(port.droppedCounts()).sort(([a], [b]) => compareText(a, b));
    return {
      kind: 'data',
      data: {
        activeTargets: showsActive ? port.active().filter(isWanted).map(targetJson) : [],
        droppedTargets: showsDropped
          ? port
              .dropped()
              .filter(isWanted)
              .map(({ discoveredLabels, scrapePool }) => ({ discoveredLabels, scrapePool }))
          : [],
        droppedTargetCounts: Object.fromEntries(
          counts.filter(([scrapePool]) => isWanted({ scrapePool })),
        ),
      },
    };
  };
}

/** /api/v1/targets/metadata */
export function targetMetadata(port: TargetsPort): ApiHandler {
  return ({ form }) => {
    const limit = numberOr(form, 'limit', -1);
    const written = form.get('match_target') ?? '';
    const matchers: readonly Matcher[] = written === '' ? [] : selector(written);
    const metric = form.get('metric') ?? '';
    const rows: unknown[] = [];
    for (const target of port.active()) {
      if (limit >= 0 && rows.length >= limit) break;
      if (!matchesAll(matchers, target.labels)) continue;
      for (const [name, { type, help, unit }] of target.metadata()) {
        if (metric === '') rows.push({ target: target.labels, metric: name, type, help, unit });
        else if (name === metric) rows.push({ target: target.labels, type, help, unit });
      }
    }
    if (rows.length === 0) throw new ApiError('not_found', 'specified metadata not found');
    return { kind: 'data', data: rows };
  };
}

/** /api/v1/metadata: what is known at the time of a request. */
export function metadata(sources: () => Iterable<MetadataSource>): ApiHandler {
  return ({ form }) => {
    const limit = numberOr(form, 'limit', -1);
    const limitPerMetric = numberOr(form, 'limit_per_metric', -1);
    const metric = form.get('metric') ?? '';
    const byMetric = new Map<string, Map<string, Metadata>>();
    for (const source of sources()) {
      for (const [name, found] of source.metadata()) {
        if (metric !== '' && name !== metric) continue;
        const known = byMetric.get(name) ?? new Map<string, Metadata>();
        known.set(JSON.stringify([found.type, found.unit, found.help]), found);
        byMetric.set(name, known);
      }
    }
    const names = [...byMetric.keys()].sort(compareText);
    const data: [string, unknown][] = [];
    for (const name of limit >= 0 ? names.slice(0, limit) : names) {
      const all = [...(byMetric.get(name)?.values() ?? [])];
      const kept = limitPerMetric > 0 ? all.slice(0, limitPerMetric) : all;
      data.push([name, kept.map(({ type, help, unit }) => ({ type, help, unit }))]);
    }
    return { kind: 'data', data: Object.fromEntries(data) };
  };
}

/** /api/v1/alertmanagers */
export function alertmanagers(port: AlertmanagersPort): ApiHandler {
  return () => {
    const { active, dropped } = port.alertmanagers();
    return {
      kind: 'data',
      data: {
        activeAlertmanagers: active.map((url) => ({ url })),
        droppedAlertmanagers: dropped.map((url) => ({ url })),
      },
    };
  };
}

function targetJson(target: TargetView): unknown {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: target.globalUrl,
    lastError: target.lastError,
    lastScrape: encodeTime(target.lastScrapeMs),
    lastScrapeDuration: target.lastScrapeDurationSeconds,
    health: target.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}

function numberOr(form: URLSearchParams, name: string, fallback: number): number {
  const text = form.get(name) ?? '';
  if (text === '') return fallback;
  const value = parseInteger(text);
  if (value === null) throw badData(`${name} must be a number`);
  return value;
}
