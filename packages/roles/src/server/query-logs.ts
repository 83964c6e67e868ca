import { join } from 'node:path';
import type { Closer } from '@pollux/base';
import { ActiveQueries, ActiveQueryFile, QueryLog, SlowQueryLog } from '@pollux/promql';
import type { RoleContext } from '../runtime/role.ts';

export type QueryLogs = {
  readonly active: ActiveQueries;
  /** Opens `global.query_log_file`, which may fail; the returned function makes it the log. */
  readonly prepare: (queryLogFile: string) => () => void;
};

/** Everything that looks on at a server's queries: the active ones, their file, the query log and the log of slow ones. */
export function openQueryLogs(
  { env, log, registry }: RoleContext,
  closer: Closer,
  settings: {
    readonly directory: string;
    readonly maxConcurrency: number;
    readonly slowMs: number;
    readonly explain: ConstructorParameters<typeof SlowQueryLog>[0]['explain'];
  },
): QueryLogs {
  const file = new ActiveQueryFile({
    files: env.files,
    clock: env.clock,
    log: log.with({ component: 'activeQueryTracker' }),
    path: join(settings.directory, 'queries.active'),
    slots: settings.maxConcurrency,
  });
  closer.defer('active queries', () => file.close());
  const own = log.with({ component: 'query engine' });
  const queryLog = new QueryLog({ files: env.files, clock: env.clock, log: own, registry });
  closer.defer('query log', () => queryLog.close());
  const { slowMs, explain } = settings;
  const slow = slowMs > 0 ? [new SlowQueryLog({ log: own, thresholdMs: slowMs, explain })] : [];
  return {
    active: new ActiveQueries(env.clock, [file, queryLog, ...slow]),
    prepare: (path) => queryLog.prepare(path),
  };
}
