import { assert, defined, errorText, type Timer } from '@pollux/base';
import { type Router, text, tracingSettings } from '@pollux/http';
import { renderText, TEXT_CONTENT_TYPE, Tracing, tracedNet } from '@pollux/telemetry';
import { Acknowledgements } from './acknowledge/acknowledgements.ts';
import { AutoEnd } from './acknowledge/auto-end.ts';
import { AlertBytes } from './alert/alert-bytes.ts';
import { AlertProvider } from './alert/alert-provider.ts';
import { AlertReader } from './api/alert-reader.ts';
import { registerApi } from './api/api.ts';
import { ConcurrencyLimit } from './api/concurrency-limit.ts';
import { API_VERSION } from './api/status.ts';
import { registerApiV3 } from './api-v3/api-v3.ts';
import { type AlertmanagerConfig, resolvePath } from './config/config.ts';
import { marshalConfig } from './config/marshal.ts';
import { UPSTREAM_KINDS } from './config/receiver-config.ts';
import { tracingHeaders } from './config/tracing-config.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { FirstRequest } from './dispatch/first-request.ts';
import { groupKeysOf } from './dispatch/group-keys.ts';
import { Doctor } from './doctor/doctor.ts';
import type { JournaledState } from './durable/alert-memory.ts';
import { EventRecorder } from './event-recorder/event-recorder.ts';
import { logSilences } from './events/log-silences.ts';
import { NotifyEvents } from './events/notify-events.ts';
import { DeliveriesUnderWay } from './explain/deliveries-under-way.ts';
import { attemptsIn } from './history/attempts.ts';
import { History } from './history/history.ts';
import { recordEvents } from './history/history-recorder.ts';
import { Inhibitor } from './inhibit/inhibitor.ts';
import type { LiveConfig } from './live-config.ts';
import { type AlertMetrics, registerMetrics } from './metrics.ts';
import type { LogReceiver } from './nflog/entry.ts';
import { NotificationLog } from './nflog/notification-log.ts';
import { NotifyMetrics } from './notify/metrics.ts';
import { Pipeline, type PipelineOptions } from './notify/pipeline.ts';
import { buildReceivers } from './notify/receivers/build.ts';
import { Robots } from './notify/receivers/robots/robots.ts';
import { tracedIntegration } from './notify/traced.ts';
import { ALERTMANAGER_DEFAULTS, type AlertmanagerOptions } from './options.ts';
import { registerDeadLetters } from './outbox/dead-letters-api.ts';
import { Resender } from './outbox/resender.ts';
import { usedReceivers } from './outbox/used-receivers.ts';
import { OwnState } from './own-state.ts';
import { ReloadGauges } from './reload-gauges.ts';
import { Route } from './route/route.ts';
import { SilenceStore } from './silence/silence-store.ts';
import { SilencesBeyond } from './silence/silences-beyond.ts';
import { SnapshotFile } from './snapshots.ts';
import { openStorageDirectory } from './storage-directory.ts';
import { NotificationTemplates } from './template/templates.ts';
import { TimeIntervals } from './time-interval/time-intervals.ts';

const CLOSE_GRACE_MS = 2_000;
/** How late the end of an alert that nobody repeats is told to history, ms. */
const TELL_ENDS_MS = 5_000;

/** A configuration of which every part that can fail has succeeded. */
export type PreparedConfig = { commit(): void };

/**
 * A whole Alertmanager without its socket. Construct it, `prepare(…).commit()` a configuration, then `start()` before the
 * cluster joins. Notifications wait until the cluster has settled, so that silences are here before the first of them.
 */
export class Alertmanager {
  readonly #options: Required<AlertmanagerOptions>;
  readonly #provider: AlertProvider;
  readonly #silences: SilenceStore;
  readonly #notificationLog: NotificationLog;
  readonly #snapshots: readonly SnapshotFile[];
  readonly #own: OwnState;
  readonly #robots: Robots;
  readonly #tracing: Tracing;
  readonly #events = new NotifyEvents();
  readonly #underWay: DeliveriesUnderWay;
  readonly #history: History;
  readonly #acknowledgements: Acknowledgements;
  readonly #autoEnd: AutoEnd;
  readonly #silencesBeyond: SilencesBeyond;
  readonly #recurringFile: SnapshotFile;
  readonly #doctor: Doctor;
  readonly #notifyMetrics: NotifyMetrics;
  readonly #alertMetrics: AlertMetrics;
  readonly #reloadGauges: ReloadGauges;
  readonly #firstRequest: FirstRequest;
  /** Null without its feature flag. */
  readonly #eventRecorder: EventRecorder | null;
  readonly #stop = new AbortController();
  readonly #timers = new Map<string, Timer>();
  readonly #settled: Promise<void>;
  #stopFeeding: () => void = () => {};
  #openGate: () => void = () => {};
  #startedAtMs: number;
  #isStarted = false;
  #live: LiveConfig | null = null;
  #closing: Promise<void> | null = null;

  constructor(given: AlertmanagerOptions) {
    const options = { ...ALERTMANAGER_DEFAULTS, ...given };
    this.#options = options;
    const { env, registry, log, cluster } = options;
    this.#startedAtMs = env.clock.now();
    this.#firstRequest = new FirstRequest(env, () => cluster.position() === 0);
    this.#settled = new Promise((resolve) => {
      this.#openGate = resolve;
    });
    const events = this.#events;
    const { clock, files, random } = env;
    this.#tracing = new Tracing({
      clock,
      log,
      registry,
      service: 'alertmanager',
      version: API_VERSION,
    });
    this.#underWay = new DeliveriesUnderWay(events, () => env.clock.now());
    this.#history = new History({
      clock: env.clock,
      files: env.files,
      log,
      registry,
      directory: `${options.storageDirectory}/history`,
      retentionMs: options.historyRetentionMs,
      maxBytes: options.historyMaxBytes,
      member: () => cluster.name,
    });
    const alertBytes = new AlertBytes();
    recordEvents(events, this.#history, alertBytes);
    if (options.logsSilences === true) logSilences(events, options.log);
    this.#provider = new AlertProvider({
      clock: env.clock,
      perAlertnameLimit: options.perAlertnameLimit,
      events,
      seed: env.random.below(2 ** 32),
    });
    this.#silences = new SilenceStore({ ...options, env, events });
    this.#notificationLog = new NotificationLog({ ...options, clock: env.clock });
    this.#eventRecorder =
      options.printEvents === null
        ? null
        : new EventRecorder({
            ...options,
            events,
            silences: this.#silences,
            inhibitor: () => this.#live?.inhibitor ?? null,
            position: () => cluster.position(),
            userAgent: `Alertmanager/${API_VERSION}`,
            print: options.printEvents,
          });
    this.#acknowledgements = new Acknowledgements(env, events);
    const acknowledgementChannel = cluster.addState('pollux_ack', this.#acknowledgements);
    this.#acknowledgements.connect((data) => acknowledgementChannel.broadcast(data));
    this.#autoEnd = new AutoEnd({
      clock: env.clock,
      provider: this.#provider,
      acknowledgements: this.#acknowledgements,
      events,
      groupKeysOf: (alert) => (this.#live === null ? [] : groupKeysOf(this.#live.route, alert)),
    });
    this.#silencesBeyond = new SilencesBeyond({ ...options, silences: this.#silences, events });
    this.#doctor = new Doctor({ clock, random, log, cluster, version: options.version });
    const doctorChannel = cluster.addState('pollux_doctor', this.#doctor);
    this.#doctor.connect((data) => doctorChannel.broadcast(data));
    const silenceChannel = cluster.addState('sil', this.#silences);
    this.#silences.connect((data) => silenceChannel.broadcast(data));
    const logChannel = cluster.addState('nfl', this.#notificationLog);
    this.#notificationLog.connect((data) => logChannel.broadcast(data));
    this.#robots = new Robots(env.clock, env.random);
    const robotChannel = cluster.addState('pollux_robots', this.#robots);
    this.#robots.connect((data) => robotChannel.broadcast(data));
    this.#notifyMetrics = new NotifyMetrics(registry, options.metricLabels.receiverNames);
    this.#notifyMetrics.introduceAll(UPSTREAM_KINDS);
    this.#alertMetrics = registerMetrics(registry, {
      now: () => env.clock.now(),
      provider: this.#provider,
      silences: this.#silences,
      robots: this.#robots,
      live: () => this.#live,
      labels: options.metricLabels,
    });
    this.#reloadGauges = new ReloadGauges(registry);
    const shared = { clock, files, log, registry, directory: options.storageDirectory };
    const acknowledgementFile = new SnapshotFile({
      ...shared,
      name: 'pollux-acknowledgements',
      state: this.#acknowledgements,
    });
    this.#recurringFile = new SnapshotFile({
      ...shared,
      name: 'pollux-recurring',
      state: this.#silencesBeyond.recurring,
    });
    // Written at once, since people make them and few are made.
    events.subscribe((event) => {
      const isMade = event.kind === 'acknowledgement' && event.origin === 'here';
      if (isMade && this.#isStarted) acknowledgementFile.maintain();
    });
    this.#snapshots = [
      new SnapshotFile({ ...shared, name: 'silences', state: this.#silences }),
      new SnapshotFile({ ...shared, name: 'nflog', state: this.#notificationLog }),
      acknowledgementFile,
      this.#recurringFile,
    ];
    this.#own = new OwnState({
      ...options,
      provider: this.#provider,
      alertBytes,
      states: new Map<string, JournaledState>([
        ['silences', this.#silences],
        ['nflog', this.#notificationLog],
      ]),
      isHeld: (alert) => this.#live?.dispatcher.holds(alert) ?? false,
    });
  }

  /** For the door: whose requests are spans too. */
  get tracing(): Tracing {
    return this.#tracing;
  }

  /** Rate limits of robots, for another sender to the same ones. */
  get robots(): Robots {
    return this.#robots;
  }

  /**
   * Builds all that the configuration needs: templates read and parsed, receivers built. Throws and changes nothing when
   * any of it fails; `commit` cannot fail.
   */
  prepare(config: AlertmanagerConfig): PreparedConfig {
    const { env, registry, cluster, peerTimeoutMs } = this.#options;
    const route = new Route(config.route);
    const used = usedReceivers(route, config.fallbacks);
    const templates = NotificationTemplates.load(env, config.templates, config.directory);
    const inhibitor = new Inhibitor(config.inhibitRules);
    const timeIntervals = new TimeIntervals(config.timeIntervals);
    const tracing = this.#tracing;
    const traced = config.tracing;
    const besideConfig = (name: string): string => resolvePath(config.directory, name);
    const traceTo =
      traced === null
        ? null
        : tracingSettings(traced, tracingHeaders(traced), env.files, besideConfig);
    const built = buildReceivers(config, used, {
      env: { ...env, net: tracedNet(tracing, env.net) },
      log: this.#options.log,
      registry,
      variables: this.#options.variables,
      hostname: this.#options.hostname,
      templates,
      userAgent: `Alertmanager/${API_VERSION}`,
      robots: this.#robots,
    });
    const integrations = new Map(
      [...built].map(([name, list]) => [name, list.map((one) => tracedIntegration(tracing, one))]),
    );
    const options: PipelineOptions = {
      clock: env.clock,
      random: env.random,
      expectRequests: () => env.net.expectRequests?.() ?? null,
      log: this.#options.log,
      tracing,
      metrics: this.#notifyMetrics,
      events: this.#events,
      cluster,
      peerTimeoutMs,
      externalUrl: this.#options.externalUrl,
      inhibitor,
      silences: this.#silences,
      notificationLog: this.#notificationLog,
      acknowledgements: this.#acknowledgements,
      timeIntervals,
      templates,
      receivers: integrations,
      restored: () => this.#own.memory.restored,
      owed: this.#own.outbox,
      isStopping: () => this.#stop.signal.aborted,
    };
    const resender = new Resender({
      pipeline: options,
      route,
      fallbacks: config.fallbacks,
      current: ({ identity }) => this.#provider.current(identity.labels),
    });
    const receiverLabels = new Map(config.receivers.map(({ name, labels }) => [name, labels]));
    const parts = {
      config,
      marshalled: marshalConfig(config),
      route,
      inhibitor,
      timeIntervals,
      templates,
      pipeline: new Pipeline(options),
      integrations,
      receiverLabels: (name: string) => receiverLabels.get(name) ?? {},
    };
    const commit = (): void => {
      this.#commit(parts, used);
      this.#own.outbox.use(resender);
      // Its library is loaded meanwhile; nobody waits for it.
      void tracing.use(traceTo);
    };
    return { commit };
  }

  /** For the metrics, when a configuration was refused before {@link prepare} or by it. */
  noteFailedReload(error: unknown): void {
    this.#reloadGauges.failed();
    this.#events.tell({ kind: 'reload', error: errorText(error) });
  }

  /**
   * Takes the snapshots over and begins to work; call it before the cluster joins. Throws a SnapshotError or a system
   * error when the data directory is unusable.
   */
  start(): void {
    assert(!this.#isStarted, 'the alertmanager is started once');
    const { env, log, storageDirectory } = this.#options;
    openStorageDirectory(env.files, storageDirectory);
    for (const snapshot of this.#snapshots) snapshot.load();
    this.#history.start();
    this.#own.open(this.#live?.config.global.resolve_timeout ?? 0);
    log.info('Loaded snapshots', {
      silences: this.#silences.size,
      nflog: this.#notificationLog.size,
    });
    this.#isStarted = true;
    this.#startedAtMs = env.clock.now();
    this.#eventRecorder?.started();
    if (this.#live !== null) this.#begin(this.#live);
    this.#every('maintenance', this.#options.maintenanceIntervalMs, () => {
      for (const snapshot of this.#snapshots) snapshot.maintain();
      this.#silencesBeyond.collect();
    });
    this.#every('alert ends', TELL_ENDS_MS, () => {
      this.#provider.tellEnds();
      this.#own.memory.beat();
    });
    this.#every('alert gc', this.#options.alertGcIntervalMs, () => {
      // Told before they are forgotten.
      this.#provider.tellEnds();
      this.#provider.collect();
      const groups = this.#live?.dispatcher.groups() ?? [];
      this.#own.memory.sweepGroups(new Set([...groups].map(({ name }) => name)));
    });
    this.#silencesBeyond.start(() => this.#recurringFile.maintain());
    void this.#settle();
    void this.#settled.then(() => this.#own.outbox.begin());
  }

  /** Adds all HTTP paths of the role. */
  registerRoutes(router: Router): void {
    const { env, cluster, registry, version, getConcurrency, matcherMode, externalUrl } =
      this.#options;
    const limit = new ConcurrencyLimit(getConcurrency, registry);
    const live = (): LiveConfig => defined(this.#live, 'a configuration in force');
    const v2 = {
      clock: env.clock,
      tracing: this.#tracing,
      registry,
      cluster,
      provider: this.#provider,
      reader: new AlertReader({
        provider: this.#provider,
        isClassic: matcherMode === 'classic',
      }),
      silences: this.#silences,
      history: this.#history,
      matcherMode,
      version,
      externalUrl,
      startedAtMs: () => this.#startedAtMs,
      live,
      ...this.#alertMetrics,
    };
    registerApi(router, v2, limit);
    const v3 = {
      ...v2,
      peerTimeoutMs: this.#options.peerTimeoutMs,
      testsUnderWay: new Set<string>(),
      doctor: this.#doctor,
      tryConfig: (config: AlertmanagerConfig) => {
        this.prepare(config);
      },
      notificationLog: this.#notificationLog,
      acknowledgements: this.#acknowledgements,
      silencesBeyond: this.#silencesBeyond,
      underWay: this.#underWay,
      attemptsOf: async (groupKey: string, receiver: LogReceiver) =>
        attemptsIn(this.#history, groupKey, receiver),
    };
    registerApiV3(router, v3, limit);
    registerDeadLetters(router, this.#own);
    router.get('/-/healthy', async () => text(200, 'OK'));
    router.get('/-/ready', async () =>
      this.#isStarted && this.#live !== null ? text(200, 'OK') : text(503, 'not started\n'),
    );
    router.post('/-/reload', async () => {
      try {
        await this.#options.reload();
        return text(200, '');
      } catch (error) {
        return text(500, `failed to reload config: ${errorText(error)}\n`);
      }
    });
    router.get('/metrics', async () => ({
      status: 200,
      headers: { 'content-type': TEXT_CONTENT_TYPE },
      body: renderText(registry.gather()),
    }));
  }

  /** Ends notifications, giving those under way two seconds, then writes the snapshots. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    this.#own.outbox.close();
    this.#firstRequest.close();
    this.#autoEnd.close();
    this.#silencesBeyond.close();
    for (const timer of this.#timers.values()) timer.cancel();
    const closing = this.#live?.dispatcher.close(CLOSE_GRACE_MS);
    // Groups that wait for the cluster are stopped by now and end as soon as they go on.
    this.#openGate();
    await closing;
    await this.#tracing.close();
    if (!this.#isStarted) return;
    await this.#eventRecorder?.close(CLOSE_GRACE_MS);
    for (const snapshot of this.#snapshots) snapshot.maintain();
    await this.#own.close();
    // Last: what it could wait for is the least dear.
    await this.#history.close();
  }

  #commit(parts: Omit<LiveConfig, 'dispatcher'>, used: ReadonlySet<string>): void {
    const { env, log, cluster, peerTimeoutMs } = this.#options;
    const draining = this.#live?.dispatcher.retire() ?? new Map<string, Promise<void>>();
    const dispatcher = new Dispatcher({
      clock: env.clock,
      provider: this.#provider,
      route: parts.route,
      settled: this.#settled,
      peerWaitMs: () => cluster.position() * peerTimeoutMs,
      notify: (flush, alerts) => parts.pipeline.notify(flush, alerts),
      maintenanceIntervalMs: this.#options.dispatchMaintenanceIntervalMs,
      draining,
      memory: this.#own.memory,
      onNewGroup: (waitMs) => this.#firstRequest.isIn(waitMs),
      processingSeconds: this.#alertMetrics.processingSeconds,
      observer: this.#eventRecorder,
      tracing: this.#tracing,
      log,
    });
    this.#stopFeeding();
    this.#live = { ...parts, dispatcher };
    for (const warning of parts.config.warnings) log.warn(warning);
    const { eventRecorder, directory } = parts.config;
    this.#eventRecorder?.use(eventRecorder, directory);
    if (eventRecorder !== null && this.#eventRecorder === null) {
      log.warn('event_recorder has no effect without --enable-feature=event-recorder');
    }
    this.#warnOfIntervals(parts.route);
    for (const { name, integrations } of parts.config.receivers) {
      if (!used.has(name))
        log.info('skipping creation of receiver not referenced by any route', { receiver: name });
      for (const { kind } of integrations) this.#notifyMetrics.introduce(kind, name);
    }
    this.#reloadGauges.succeeded(parts.config.text, env.clock.now());
    this.#events.tell({ kind: 'reload', error: '' });
    if (this.#isStarted) this.#begin(this.#live);
  }

  /** Sources of inhibition are known before the first group is made. */
  #begin({ inhibitor, dispatcher }: LiveConfig): void {
    this.#stopFeeding = this.#provider.subscribe(inhibitor);
    dispatcher.start();
  }

  /** Opens the way for notifications when the cluster has settled, or has had its time to. */
  async #settle(): Promise<void> {
    const { env, cluster, log, settleTimeoutMs, startDelayMs } = this.#options;
    const beganMs = env.clock.monotonic();
    const isOver = new Promise<'timeout'>((resolve) => {
      const timer = env.clock.after(settleTimeoutMs, () => resolve('timeout'));
      this.#timers.set('settle', timer);
    });
    const hasSettled = cluster.settled(this.#stop.signal).then(
      () => 'settled' as const,
      (error: unknown) => {
        if (!this.#stop.signal.aborted)
          log.warn('Cluster did not settle', { err: errorText(error) });
        return 'failed' as const;
      },
    );
    const result = await Promise.race([hasSettled, isOver]);
    this.#timers.get('settle')?.cancel();
    if (this.#stop.signal.aborted) return;
    if (result === 'timeout') log.warn('Cluster not settled in time, notifications begin anyway');
    // A wall clock that is set back meanwhile must not hold all notifications by as much.
    const leftMs = beganMs + startDelayMs - env.clock.monotonic();
    if (leftMs <= 0) this.#openGate();
    else
      this.#timers.set(
        'start delay',
        env.clock.after(leftMs, () => this.#openGate()),
      );
  }

  #warnOfIntervals(route: Route): void {
    const { log, retentionMs } = this.#options;
    for (const { key, settings } of route.walk()) {
      const { repeatIntervalMs, groupIntervalMs } = settings;
      if (repeatIntervalMs > retentionMs) {
        log.warn('repeat_interval is greater than the data retention period', { route: key });
      }
      if (repeatIntervalMs < groupIntervalMs) {
        log.warn(
          'repeat_interval is less than group_interval, notifications repeat at the latter',
          {
            route: key,
          },
        );
      }
    }
  }

  #every(name: string, intervalMs: number, work: () => void): void {
    const timer = this.#options.env.clock.after(intervalMs, () => {
      work();
      if (!this.#stop.signal.aborted) this.#every(name, intervalMs, work);
    });
    this.#timers.set(name, timer);
  }
}
