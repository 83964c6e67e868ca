import { dirname, resolve } from 'node:path';
import { type ApiOptions, type Readiness, registerApi } from '@pollux/api';
import { Closer, type Env } from '@pollux/base';
import { PROTOBUF_FIRST_SCRAPE_PROTOCOLS } from '@pollux/exposition';
import type { Router } from '@pollux/http';
import { fnv1a64, formatDuration } from '@pollux/model';
import { Engine, ParsedQueries } from '@pollux/promql';
import { RemoteQueryable, RemoteWriter, readHandler, writeHandler } from '@pollux/remote';
import { EngineRuleQuery, Notifier, RuleManager } from '@pollux/rules';
import { ScrapeManager } from '@pollux/scrape';
import { limitAhead, type Queryable, withRemotes } from '@pollux/storage';
import { Tracing, tracedHandler, tracedNet } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import type { FlagValues } from '../flags/flags.ts';
import { registerConsole } from '../runtime/console.ts';
import { engineFeatures, hasFeature, START_TIMES } from '../runtime/engine-features.ts';
import { externalUrlOf, listenAddressesOf, routePrefixOf } from '../runtime/external-url.ts';
import { Loaded } from '../runtime/loaded.ts';
import { openQueryWorkers, SMALL_QUERY_POINTS } from '../runtime/query-workers.ts';
import { PROMETHEUS_VERSION, type RoleContext, type RunningRole } from '../runtime/role.ts';
import { listenOn, observedRouter } from '../runtime/web.ts';
import { WebConfig } from '../runtime/web-config.ts';
import { loadServerConfig, resolverOf, type ServerConfig } from './config.ts';
import { ServerCoverage, withRelativeFiles } from './coverage.ts';
import { CurrentQueryable } from './current-queryable.ts';
import { SERVER_FLAGS } from './flags.ts';
import { openHealer } from './healing/open-healer.ts';
import { openQueryLogs } from './query-logs.ts';

import { openQueryDoor } from './result-cache.ts';
import { retentionSettings } from './retention-config.ts';

import { SERVER_QUERY } from './server-query.worker.ts';
import { bindStatus } from './status-port.ts';
import { bindTargets } from './targets-port.ts';
import { bindWal } from './wal-binding.ts';
import { warmUp } from './warm-up/warm-up.ts';

export type ServerFlags = FlagValues<typeof SERVER_FLAGS>;

const USER_AGENT = `Prometheus/${PROMETHEUS_VERSION}`;
/** For an end that was asked for, and for one after a failed start. */
const CLOSE_TIMEOUT_MS = 4_000;
const DEFAULT_LOOKBACK_MS = 300_000;
const REMOTE_MEMORY_BYTES = 1024 * 1024 * 1024;

/**
 * Wires a server. Long: it is one straight line of construction, and cutting it would only hide the order, which is: what
 * can refuse the start first, storage before what reads or writes it, then the door. While the log is replayed blocks are
 * answered and targets scraped; rules, notifications and remote storage wait.
 */
export async function startServer(context: RoleContext, flags: ServerFlags): Promise<RunningRole> {
  const { env, log, registry } = context;
  const startedMs = env.clock.now();
  const file = flags['config.file'];
  const replicaLabels = flags['ha.replica-labels'].split(',').filter((name) => name !== '');
  const readsStarts = hasFeature(flags['enable-feature'], START_TIMES);
  const load = (): ServerConfig =>
    loadServerConfig({
      files: env.files,
      file,
      variables: context.variables,
      replicaLabels,
      keepsExemplars: hasFeature(flags['enable-feature'], 'exemplar-storage'),
      ...(readsStarts ? { scrapeProtocols: PROTOBUF_FIRST_SCRAPE_PROTOCOLS } : {}),
    });
  const first = load();
  const resolvePath = resolverOf(file);
  const addresses = listenAddressesOf(flags['web.listen-address']);
  const externalUrl = externalUrlOf(flags['web.external-url'], addresses[0], context.hostname);
  const webFile = flags['web.config.file'];
  // Before anything is opened: a file that cannot be used ends the start.
  const web = webFile === '' ? null : new WebConfig(context, webFile);
  const closer = new Closer(env.clock);
  const tracing = new Tracing({
    clock: env.clock,
    log: log.with({ component: 'tracing' }),
    registry,
    service: 'prometheus',
    version: PROMETHEUS_VERSION,
  });
  closer.defer('tracing', () => tracing.close());
  // Of what goes out by itself.
  const tracedEnv = { ...env, net: tracedNet(tracing, env.net, { isRoot: true }) };
  let readiness: Readiness = 'starting';

  const directory = resolve(flags['storage.tsdb.path']);
  const retention = retentionSettings(flags, first);
  const tsdb = await Tsdb.begin({
    directory,
    env,
    log: log.with({ component: 'tsdb' }),
    registry,
    options: {
      minBlockDurationMs: flags['storage.tsdb.min-block-duration'],
      maxBlockDurationMs: flags['storage.tsdb.max-block-duration'],
      retentionMs: retention.timeMs,
      retentionBytes: retention.bytes,
      retentionPercentage: retention.percentage,
      retentionRules: retention.rules,
      downsampling: first.downsampling,
      allowApproximate: flags['query.allow-approximate'],
      walCompression: walCompression(flags),
      compactedFloats: flags['storage.tsdb.chunk-encoding'] === 'dense' ? 'dense' : null,
      fsync: flags['storage.fsync'] as 'none' | 'interval' | 'always',
      outOfOrderWindowMs: first.outOfOrderWindowMs,
      seriesLimits: first.seriesLimits,
      maxExemplars: first.maxExemplars,
      startTimestamps: flags['storage.start-timestamps'],
      lockDirectory: context.lock,
    },
  });
  closer.defer('tsdb', () => tsdb.close());
  const coverage = new ServerCoverage({
    env,
    log: log.with({ component: 'coverage' }),
    directory,
    startedMs: env.clock.now(),
    oldestSampleMs: () => tsdb.extent.oldestMs,
    oldestBucketMs: () => tsdb.extent.oldestBucketMs,
    newestBlockMs: () => tsdb.extent.newestBlockMs,
    externalLabels: () => loaded.config.externalLabels,
    lostTimes: () => tsdb.lostTimes(),
    retentionMs: () => tsdb.retention.timeMs,
  });
  closer.defer('coverage', () => coverage.close());

  const queryable = new CurrentQueryable(tsdb);
  const features = engineFeatures(flags['enable-feature'], log);
  // Zero stands for the default, as in Prometheus.
  const lookbackMs = flags['query.lookback-delta'] || DEFAULT_LOOKBACK_MS;
  const queryLogs = openQueryLogs(context, closer, {
    directory,
    maxConcurrency: flags['query.max-concurrency'],
    slowMs: flags['query.slow-log-threshold'],
    explain: (query) => engine.explain(query.query, query),
  });
  const workers = openQueryWorkers(context, SERVER_QUERY, flags['query.workers']);
  if (workers !== null) closer.defer('query workers', () => workers.close());
  const parsed = new ParsedQueries(features);
  const settings = {
    ...(workers === null ? {} : { workers, maxPointsHere: SMALL_QUERY_POINTS }),
    clock: env.clock,
    lookbackMs,
    maxSamples: flags['query.max-samples'],
    timeoutMs: flags['query.timeout'],
    maxConcurrency: flags['query.max-concurrency'],
    maxMemoryBytes: flags['query.max-memory'],
    defaultStepMs: () => loaded.config.evaluationIntervalMs,
    features,
  };
  const { active } = queryLogs;
  const engineLog = log.with({ component: 'query engine' });
  const engine = new Engine({ ...settings, active, parsed, registry, log: engineLog });
  const cacheBytes = flags['query.result-cache-size'];
  const door = openQueryDoor({
    engine,
    queryable,
    tsdb,
    registry,
    maxBytes: cacheBytes,
    maxSamples: flags['query.max-samples'],
    lookbackMs,
    isLocal: () => {
      const { remoteReads, downsampling } = loaded.config;
      const isPlain = remoteReads.length === 0 && downsampling.length === 0;
      // Names that stay to the end of a query may make series alike there.
      return readiness === 'ready' && isPlain && features.delayedNameRemoval !== true;
    },
  });
  const scrape = new ScrapeManager({
    env: tracedEnv,
    log,
    registry,
    appendable: limitAhead(tsdb.forResenders, env.clock),
    coverage: coverage.recorder,
    version: PROMETHEUS_VERSION,
    variables: context.variables,
    discoveryThrottleMs: flags['scrape.discovery-reload-interval'],
    readsStartTimes: readsStarts,
  });
  closer.defer('scrapes', () => scrape.close());
  const writer = new RemoteWriter({
    env: tracedEnv,
    log: log.with({ component: 'remote' }),
    registry,
    wal: bindWal(tsdb.walTail, env.files, log.with({ component: 'remote' })),
    dataDirectory: directory,
    userAgent: USER_AGENT,
    resolvePath,
    variables: context.variables,
    maxPinnedBytes: flags['storage.remote.max-pinned-bytes'],
  });
  closer.defer('remote write', () => writer.close());
  const notifier = new Notifier({
    env: tracedEnv,
    log,
    registry,
    resolvePath,
    variables: context.variables,
    userAgent: USER_AGENT,
    queueCapacity: flags['alertmanager.notification-queue-capacity'],
  });
  closer.defer('notifier', () => notifier.close());
  const rules = new RuleManager(
    {
      env,
      log,
      registry,
      query: new EngineRuleQuery(engine, queryable),
      queryable,
      parser: features,
      appendable: tsdb,
      coverage: withRelativeFiles(coverage.recorder, dirname(file)),
      notifier,
      externalUrl,
      resendDelayMs: flags['rules.alert.resend-delay'],
      forOutageToleranceMs: flags['rules.alert.for-outage-tolerance'],
      forGracePeriodMs: flags['rules.alert.for-grace-period'],
    },
    first.externalLabels,
  );
  closer.defer('rules', () => rules.close());
  const healer = openHealer(context, flags, { tsdb, coverage, userAgent: USER_AGENT });
  if (healer !== null) closer.defer('healing', () => healer.close());

  const prepare = (config: ServerConfig): (() => Promise<void>) => {
    const window = tsdb.prepareOutOfOrderWindow(config.outOfOrderWindowMs);
    const kept = retentionSettings(flags, config);
    const scrapes = scrape.prepare({
      jobs: config.jobs,
      seed: phaseSeed(context.hostname, config),
      resolvePath,
    });
    const writes = writer.prepare({
      destinations: config.remoteWrites,
      externalLabels: config.externalLabels,
    });
    const alerting = notifier.prepare(config.alerting, config.externalLabels);
    const groups = rules.prepare(config);
    const storage = withRemoteReads(config, tsdb, coverage, {
      env: { ...env, net: tracedNet(tracing, env.net) },
      registry,
      resolvePath,
      variables: context.variables,
    });
    const queryLog = queryLogs.prepare(config.queryLogFile);
    return async () => {
      window();
      queryLog();
      door.clear();
      tsdb.setSeriesLimits(config.seriesLimits);
      tsdb.resizeExemplars(config.maxExemplars);
      tsdb.retention = kept;
      tsdb.downsampling = config.downsampling;
      queryable.current = storage;
      coverage.log.configIdentity = config.identity;
      scrapes.commit();
      writes.commit();
      alerting.commit();
      // Its library is loaded meanwhile; nobody waits for it.
      void tracing.use(config.tracing);
      await groups.commit();
    };
  };
  const loaded = new Loaded({ clock: env.clock, log, load, prepare }, first, {
    registry,
    namespace: 'prometheus',
  });
  await prepare(first)();

  let askToQuit = (): void => {};
  const quit = new Promise<void>((done) => {
    askToQuit = done;
  });
  const prefix = routePrefixOf(flags['web.route-prefix'], externalUrl);
  const router = observedRouter({ env, log, registry, namespace: 'prometheus', prefix });
  const api: ApiOptions = {
    clock: env.clock,
    log,
    registry,
    readiness: () => readiness,
    query: {
      run: (asked) =>
        tracing.within(
          () => ({ name: 'promqlExec', attributes: { query: asked.query } }),
          () => door.port.run(asked),
        ),
    },
    active,
    parser: features,
    parsed,
    queryable,
    exemplars: tsdb,
    targets: bindTargets(scrape),
    rules: { groups: () => rules.groups() },
    alertmanagers: notifier,
    status: bindStatus({
      startedMs,
      hostname: context.hostname,
      now: () => env.clock.now(),
      flags: shownFlags(flags),
      tsdb,
      scrape,
      writer,
      healing: () => healer?.status() ?? null,
      loaded: () => loaded,
    }),
    admin: flags['web.enable-admin-api']
      ? {
          deleteSeries: (range, matchers) => tsdb.deleteSamples(range, matchers),
          cleanTombstones: () => tsdb.cleanTombstones(),
          snapshot: (skipHead) => tsdb.snapshot(skipHead),
        }
      : null,
    lifecycle: flags['web.enable-lifecycle']
      ? { reload: () => loaded.reload(), quit: askToQuit }
      : null,
    coverage,
    externalLabels: () => loaded.config.externalLabels,
    lookbackMs,
    corsOrigin: flags['web.cors.origin'],
  };
  registerApi(router, api);
  registerRemote(router, { context, flags, tsdb, loaded, readiness: () => readiness });
  registerConsole(router, env.files);
  const maxConnections = flags['web.max-connections'];
  const traced = { handler: tracedHandler(tracing, router.handler) };
  const listener = await listenOn(env, addresses, traced, { web, maxConnections });
  closer.defer('listener', () => listener.close());

  tsdb.start();
  scrape.start();
  readiness = 'replaying';
  try {
    await tsdb.recovered();
  } catch (error) {
    await closer.close(CLOSE_TIMEOUT_MS);
    throw error;
  }
  coverage.restore(Math.max(tsdb.recovery.newestFoundMs, 0));
  coverage.start();
  writer.start();
  notifier.start();
  rules.start();
  healer?.start();
  readiness = 'ready';
  registry
    .gauge(
      'prometheus_ready',
      'Whether Prometheus startup was fully completed and the server is ready for normal operation.',
    )
    .set(1);
  registry
    .gauges('prometheus_build_info', 'Version whose behaviour is served, and the runtime.', [
      'version',
      'goversion',
    ])
    .with(PROMETHEUS_VERSION, process.version)
    .set(1);
  return {
    address: listener.address,
    reload: () => loaded.reload(),
    close: async () => {
      readiness = 'stopping';
      for (const failure of await closer.close(CLOSE_TIMEOUT_MS))
        log.error('closing failed', { err: failure });
    },
    quit,
    ...(flags['query.warm-up']
      ? {
          warmUp: (own) =>
            warmUp({ context, closer, directory, api, engine: settings, cacheBytes }, own),
        }
      : {}),
  };
}

/** Remote write in and remote read out. Reading gives what is stored here only: a store must not be asked in circles. */
function registerRemote(
  router: Router,
  parts: {
    readonly context: RoleContext;
    readonly flags: ServerFlags;
    readonly tsdb: Tsdb;
    readonly loaded: { readonly config: ServerConfig };
    readonly readiness: () => Readiness;
  },
): void {
  const { context, flags, tsdb, loaded } = parts;
  const { env, log, registry } = context;
  const common = { registry, log: log.with({ component: 'web' }) };
  const read = readHandler({
    clock: env.clock,
    ...common,
    queryable: () => tsdb,
    externalLabels: () => loaded.config.externalLabels,
    maxSamples: flags['storage.remote.read-sample-limit'],
    maxConcurrent: flags['storage.remote.read-concurrent-limit'],
    maxMemoryBytes: REMOTE_MEMORY_BYTES,
  });
  const received = limitAhead(tsdb.forResenders, env.clock);
  const write = flags['web.enable-remote-write-receiver']
    ? writeHandler({ ...common, random: env.random, appendable: () => received })
    : null;
  const unavailable = { status: 503, headers: { 'retry-after': '1' }, body: 'Service Unavailable' };
  router.post('/api/v1/read', async (exchange) =>
    parts.readiness() === 'ready' ? read(exchange) : unavailable,
  );
  router.post('/api/v1/write', async (exchange) => {
    if (write === null) {
      return {
        status: 404,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: 'remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n',
      };
    }
    // The database knows what it can take while it replays its log.
    const takesWrites = parts.readiness() === 'ready' || parts.readiness() === 'replaying';
    return takesWrites ? write(exchange) : unavailable;
  });
}

function withRemoteReads(
  config: ServerConfig,
  tsdb: Tsdb,
  coverage: ServerCoverage,
  parts: Pick<RoleContext, 'registry' | 'variables'> & {
    readonly env: Env;
    readonly resolvePath: (name: string) => string;
  },
): Queryable {
  const remotes = config.remoteReads.map((remote) => ({
    queryable: new RemoteQueryable({
      ...parts,
      config: remote,
      externalLabels: config.externalLabels,
      userAgent: USER_AGENT,
    }),
    readRecent: remote.readRecent,
  }));
  return withRemotes(tsdb, remotes, () => coverage.local());
}

/** Replicas of one pair differ in host or external labels, so they never scrape in step. */
function phaseSeed(hostname: string, config: ServerConfig): bigint {
  return fnv1a64(new TextEncoder().encode(hostname + config.externalLabels.toString()));
}

function walCompression(flags: ServerFlags): 'none' | 'snappy' | 'zstd' {
  if (!flags['storage.tsdb.wal-compression']) return 'none';
  return flags['storage.tsdb.wal-compression-type'] === 'zstd' ? 'zstd' : 'snappy';
}

/** Flags as `/api/v1/status/flags` shows them: durations in Prometheus' form. */
function shownFlags(flags: ServerFlags): Record<string, string> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, value]) => [
      name,
      SERVER_FLAGS[name as keyof typeof SERVER_FLAGS].kind === 'duration'
        ? formatDuration(Number(value))
        : String(value),
    ]),
  );
}
