import { arch, platform } from 'node:os';
import type { StatusPort } from '@pollux/api';
import type { HealingStatus, ServerStatus } from '@pollux/api-types/pair';
import type { RemoteWriter } from '@pollux/remote';
import type { ScrapeManager } from '@pollux/scrape';
import type { Tsdb } from '@pollux/tsdb';
import { PROMETHEUS_VERSION, VERSION } from '../runtime/role.ts';
import type { ServerConfig } from './config.ts';
import { retentionText } from './retention-config.ts';

export type StatusParts = {
  readonly startedMs: number;
  readonly hostname: string;
  readonly now: () => number;
  readonly flags: Readonly<Record<string, string>>;
  readonly tsdb: Tsdb;
  readonly scrape: ScrapeManager;
  readonly writer: RemoteWriter;
  readonly healing: () => HealingStatus | null;
  /** The running configuration and how its loading went. */
  readonly loaded: () => {
    readonly config: ServerConfig;
    readonly isGood: boolean;
    readonly atMs: number;
  };
};

/** What the server says of itself on its status pages. */
export function bindStatus(parts: StatusParts): StatusPort {
  const { tsdb, scrape, writer, now } = parts;
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    buildInfo: {
      version: PROMETHEUS_VERSION,
      revision: `pollux-${VERSION}`,
      branch: 'main',
      buildUser: '',
      buildDate: '',
      // Clients only show it; a Go version would be untrue.
      goVersion: `node ${process.version} ${platform()}/${arch()}`,
    },
    configYaml: () => parts.loaded().config.shownYaml,
    flags: () => parts.flags,
    runtimeInfo: () => ({
      startTime: time(parts.startedMs),
      CWD: process.cwd(),
      hostname: parts.hostname,
      serverTime: time(now()),
      reloadConfigSuccess: parts.loaded().isGood,
      lastConfigTime: time(parts.loaded().atMs),
      corruptionCount: 0,
      goroutineCount: 0,
      GOMAXPROCS: 1,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention: retentionText(tsdb.retention),
    }),
    tsdb: async (limit) => {
      const stats = tsdb.headStats(limit);
      const { numSeries, numLabelPairs, chunkCount, minTime, maxTime } = stats;
      const history = tsdb.cardinalityHistory.map(({ timeMs, series, chunks }) => ({
        time: timeMs / 1_000,
        series,
        chunks,
      }));
      return {
        ...stats,
        headStats: { numSeries, numLabelPairs, chunkCount, minTime, maxTime },
        history,
      };
    },
    cardinality: (by, limit, sinceMs) => {
      const report = tsdb.cardinality(by, limit, sinceMs);
      return {
        by,
        since: report.sinceMs === null ? null : report.sinceMs / 1_000,
        entries: report.entries.map(({ name, count, before }) => ({ name, value: count, before })),
      };
    },
    walReplay: () => {
      const { firstSegment, lastSegment, currentSegment } = tsdb.recovery;
      return { min: firstSegment, max: lastSegment, current: currentSegment };
    },
    features: () => ({
      api: {
        admin: parts.flags['web.enable-admin-api'] === 'true',
        remote_write_receiver: parts.flags['web.enable-remote-write-receiver'] === 'true',
      },
    }),
    details: (): ServerStatus => {
      const { activeTargets } = scrape.targets();
      const { headSeries, headNewestMs } = tsdb.extent;
      return {
        role: 'server',
        version: VERSION,
        startedMs: parts.startedMs,
        headSeries,
        targetsUp: activeTargets.filter(({ health }) => health === 'up').length,
        targetsDown: activeTargets.filter(({ health }) => health === 'down').length,
        remoteWrites: writer.status().map(({ name, highestSentMs, pendingCount }) => ({
          name,
          lagSeconds: highestSentMs === 0 ? 0 : Math.max(0, (headNewestMs - highestSentMs) / 1_000),
          pendingSamples: pendingCount,
        })),
        healing: parts.healing(),
      };
    },
  };
}
