import { join } from 'node:path';
import { type ApiOptions, registerApi } from '@pollux/api';
import {
  CanceledError,
  Closer,
  errorText,
  type HttpHandler,
  randomHex,
  StopSource,
  sleep,
  unlinkTree,
} from '@pollux/base';
import { Engine, type EngineOptions, ParsedQueries } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import type { OwnProcess, RoleContext } from '../../runtime/role.ts';
import { listen, observedRouter } from '../../runtime/web.ts';
import { CurrentQueryable } from '../current-queryable.ts';
import { openQueryLogs } from '../query-logs.ts';
import { openQueryDoor } from '../result-cache.ts';
import { Asker, SECRET_HEADER } from './asker.ts';
import { IdleTurns, type TurnsEnd } from './idle-turns.ts';
import { openMadeUpData } from './made-up-data.ts';
import { madeUpTargets } from './made-up-queries.ts';

/** Who has waited for the server asks first. */
const START_AFTER_MS = 5_000;
/** Then 300 queries each of two small kinds have 96 functions optimised; 135 after half as many, 277 after none. */
const PASSES = 40;
const PASSES_A_COLLECTION = 8;
/** Of processor time. */
const MOST_MS = 4_000;
/** A server that has had work for so long has run its code in. */
const MOST_WAIT_MS = 600_000;
const MAX_CONNECTIONS = 2;
const SECRET_BYTES = 16;
const DIRECTORY = 'warm-up.tmp';
/** The data are small; the cache is to have a place in the way of a query. */
const MAX_CACHE_BYTES = 1024 * 1024;

export type WarmUpParts = {
  readonly context: RoleContext;
  /** Ends it with the server. */
  readonly closer: Closer;
  /** Of the server's data. */
  readonly directory: string;
  /** The server's own; queries, storage and metrics are put in their places. */
  readonly api: ApiOptions;
  readonly engine: Omit<EngineOptions, 'registry' | 'log' | 'active' | 'parsed'>;
  /** `--query.result-cache-size`. */
  readonly cacheBytes: number;
};

/**
 * Has the code that answers queries compiled and optimised before somebody asks: the first hundreds of small queries of a server take two to
 * ten times as long as later ones. A database, an engine and a door of its own, of the same classes and with the same settings as
 * the server's, are asked made-up queries over HTTP while the server has nothing else to do; nothing of it is seen in the server's data,
 * metrics, caches or logs. Never rejects.
 */
export async function warmUp(parts: WarmUpParts, process: OwnProcess): Promise<void> {
  const { context, closer, directory } = parts;
  const { clock, files } = context.env;
  const log = context.log.with({ component: 'warm-up' });
  const spent = context.registry.gauge(
    'pollux_warm_up_seconds',
    'Processor time that made-up queries took after the start, so that real ones meet optimised code.',
  );
  const stop = new StopSource();
  const opened = new Closer(clock);
  const path = join(directory, DIRECTORY);
  const limits = { mostMs: MOST_MS, mostWaitMs: MOST_WAIT_MS };
  const turns = new IdleTurns(clock, process, limits, stop);
  const work = async (): Promise<TurnsEnd> => {
    await sleep(clock, START_AFTER_MS, stop);
    // What a process that was killed has left.
    await unlinkTree(files, path);
    opened.defer('directory', () => unlinkTree(files, path));
    return askAll(parts, { closer: opened, path, turns, stop, collect: process.collect });
  };
  const run = async (): Promise<void> => {
    try {
      const end = await work();
      log.info('made-up queries have run', { end, processor_ms: Math.round(turns.spentMs) });
    } catch (error) {
      if (!(error instanceof CanceledError)) {
        log.warn('made-up queries failed; the first real ones will be slower', {
          err: errorText(error),
        });
      }
    }
    for (const failure of await opened.close()) log.warn('closing failed', { err: failure });
    spent.set(turns.spentMs / 1_000);
    process.collect();
  };
  const done = run();
  closer.defer('warm-up', () => {
    stop.abort(new CanceledError('the server ends'));
    return done;
  });
  return done;
}

type Opened = {
  readonly closer: Closer;
  /** Made, and removed by who made it. */
  readonly path: string;
  readonly stop: StopSource;
};

/** Opens a server in `path`, and asks it for as long as there are turns. */
async function askAll(
  parts: WarmUpParts,
  how: Opened & { readonly turns: IdleTurns; readonly collect: () => void },
): Promise<TurnsEnd> {
  const { turns, collect } = how;
  const endMs = parts.context.env.clock.now();
  const first = await turns.next();
  if (first !== null) return first;
  const asker = await openServer(parts, how, endMs);
  for (let pass = 0; pass < PASSES; pass++) {
    for (const target of madeUpTargets(endMs, pass)) {
      const end = await turns.next();
      if (end !== null) return end;
      await asker.get(target);
    }
    // Left alone, what survives young collections would make the heap half as large again, and it stays so.
    if ((pass + 1) % PASSES_A_COLLECTION === 0) collect();
  }
  return 'done';
}

/** All that answers, with a database of made-up data; gives who asks it. */
async function openServer(
  parts: WarmUpParts,
  { closer, path, stop }: Opened,
  endMs: number,
): Promise<Asker> {
  const { env } = parts.context;
  const db = await openMadeUpData(env, path, endMs);
  closer.defer('database', () => db.close());
  const context = { ...parts.context, log: Log.silent(), registry: new Registry() };
  const { log, registry } = context;
  const queryable = new CurrentQueryable(db);
  const logs = openQueryLogs(context, closer, {
    directory: path,
    maxConcurrency: 1,
    slowMs: 0,
    explain: () => '',
  });
  const { active } = logs;
  const parsed = new ParsedQueries(parts.engine.features ?? {});
  const engine = new Engine({ ...parts.engine, registry, log, active, parsed });
  const door = openQueryDoor({
    engine,
    queryable,
    tsdb: db,
    registry,
    maxBytes: Math.min(parts.cacheBytes, MAX_CACHE_BYTES),
    maxSamples: parts.engine.maxSamples ?? Number.POSITIVE_INFINITY,
    lookbackMs: parts.api.lookbackMs ?? 0,
    isLocal: () => true,
  });
  const router = observedRouter({ env, log, registry, namespace: 'prometheus', prefix: '/' });
  const own = { log, registry, query: door.port, active, parsed, queryable };
  registerApi(router, { ...parts.api, ...own, admin: null, lifecycle: null });
  // The rest of what is asked for there is the server's, whose own door may have a lock.
  const secret = randomHex(env.random, SECRET_BYTES);
  const guarded: HttpHandler = async (request) =>
    request.headers[SECRET_HEADER] === secret ? router.handler(request) : { status: 403 };
  const at = { host: '127.0.0.1', port: 0 };
  const listener = await listen(env, at, { handler: guarded }, MAX_CONNECTIONS);
  closer.defer('listener', () => listener.close(0));
  const asker = await Asker.connect(env.net, listener.address, { secret, signal: stop });
  closer.defer('connection', () => asker.close());
  return asker;
}
