import type { InfluxConfig } from './config.ts';
import type { ContinuousQueries } from './continuous-queries.ts';
import type { HttpContext } from './http/context.ts';
import { formatGoDuration } from './influxql/duration.ts';
import type { Diagnostic, Statistic } from './query/statistics.ts';
import type { Subscriptions } from './write/subscriptions.ts';

/** What SHOW STATS and /debug/vars show; the whole of what the store counts is at /metrics. */
export function statisticsOf(
  { metrics, running, meta }: HttpContext,
  continuous: ContinuousQueries,
  subscriptions: Subscriptions,
  bind: string,
): Statistic[] {
  return [
    {
      name: 'queryExecutor',
      tags: {},
      values: {
        queriesActive: running.count,
        queriesExecuted: running.executed,
        queriesFinished: running.finished,
        queryDurationNs: running.durationMs * 1e6,
      },
    },
    {
      name: 'write',
      tags: {},
      values: {
        pointReq: metrics.points.value,
        req: metrics.writeRequests.value,
        writeError: metrics.writeErrors.value,
        writeOk: metrics.writeRequests.value - metrics.writeErrors.value,
      },
    },
    { name: 'subscriber', tags: {}, values: { ...subscriptions.counts } },
    { name: 'cq', tags: {}, values: { ...continuous.counts } },
    { name: 'meta', tags: {}, values: { databases: meta.databases().length } },
    {
      name: 'httpd',
      tags: { bind },
      values: {
        queryReq: metrics.queries.value,
        writeReq: metrics.writeRequests.value,
        pointsWrittenOK: metrics.points.value,
      },
    },
  ];
}

/** What SHOW DIAGNOSTICS shows. */
export function diagnosticsOf(
  config: InfluxConfig,
  version: string,
  uptimeMs: number,
): Diagnostic[] {
  const time = (ms: number): string => formatGoDuration(BigInt(ms) * 1_000_000n);
  const { coordinator, data, http, meta, retention } = config;
  const continuous = config.continuous_queries;
  return [
    { name: 'build', values: { Branch: '', 'Build Time': '', Commit: '', Version: version } },
    {
      name: 'config-coordinator',
      values: {
        'max-concurrent-queries': BigInt(coordinator['max-concurrent-queries']),
        'max-select-buckets': BigInt(coordinator['max-select-buckets']),
        'max-select-series': BigInt(coordinator['max-select-series']),
        'query-timeout': time(coordinator['query-timeout']),
        'write-timeout': time(coordinator['write-timeout']),
      },
    },
    {
      name: 'config-cqs',
      values: {
        enabled: continuous.enabled,
        'query-stats-enabled': continuous['query-stats-enabled'],
        'run-interval': time(continuous['run-interval']),
      },
    },
    { name: 'config-data', values: { dir: data.dir, 'wal-dir': data['wal-dir'] } },
    {
      name: 'config-httpd',
      values: {
        'bind-address': http['bind-address'],
        'max-connection-limit': BigInt(http['max-connection-limit']),
        'max-row-limit': BigInt(http['max-row-limit']),
      },
    },
    { name: 'config-meta', values: { dir: meta.dir } },
    {
      name: 'config-retention',
      values: { 'check-interval': time(retention['check-interval']), enabled: retention.enabled },
    },
    { name: 'system', values: { uptime: time(Math.floor(uptimeMs)) } },
  ];
}
