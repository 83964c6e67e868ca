import { createHash } from 'node:crypto';
import { type Env, errorText } from '@pollux/base';
import { Secret, shownAddress } from '@pollux/config';
import type { Variables } from '@pollux/http';
import { Labels } from '@pollux/model';
import type { Log, Registry } from '@pollux/telemetry';
import type { RemoteWriteConfig } from './config.ts';
import { Destination, type Surroundings } from './destination.ts';
import type { MetadataSource } from './metadata-sender.ts';
import { RemoteWriteMetrics } from './metrics.ts';
import { comparePositions, type WalPort, type WalPosition } from './wal-port.ts';

const DEFAULT_MAX_PINNED_BYTES = 10 * 1024 ** 3;

export type RemoteWriterOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly wal: WalPort;
  /** The role's data directory; queues live below `remote/` in it. */
  readonly dataDirectory: string;
  /** `Pollux/0.1.0` or the like. */
  readonly userAgent: string;
  /** Resolves file names of the configuration against its directory. */
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
  /** Families to announce; left out when nobody knows any. */
  readonly metadata?: MetadataSource;
  /** `--storage.remote.max-pinned-bytes`; 0 or absent: 10 GiB, and never more than half of what is free. */
  readonly maxPinnedBytes?: number;
};

export type RemoteWriteSettings = {
  readonly destinations: readonly RemoteWriteConfig[];
  readonly externalLabels: Labels;
};

/** How one queue stands, for status pages. */
export type DestinationStatus = {
  readonly name: string;
  /** Without password. */
  readonly url: string;
  readonly cursor: WalPosition;
  readonly pendingCount: number;
  readonly shardCount: number;
  /** 0 when nothing was sent since the start. */
  readonly highestSentMs: number;
};

/**
 * All remote write destinations of a role. Each has its own directory, cursor, memory and shards; none waits for another.
 * A destination whose settings did not change goes on untouched through a reload.
 */
export class RemoteWriter {
  readonly #options: RemoteWriterOptions;
  readonly #metrics: RemoteWriteMetrics;
  readonly #destinations = new Map<string, { key: string; destination: Destination }>();
  #furthest: WalPosition = { segment: -1, offset: 0 };
  #highestMs = 0;
  #isStarted = false;
  #settings: RemoteWriteSettings = { destinations: [], externalLabels: Labels.EMPTY };
  #changes: Promise<void> = Promise.resolve();

  constructor(options: RemoteWriterOptions) {
    this.#options = options;
    this.#metrics = new RemoteWriteMetrics(options.registry);
  }

  /** Starts the destinations given by {@link prepare} before; call once the log can be read. */
  start(): void {
    this.#isStarted = true;
    this.#apply(this.#settings);
  }

  /**
   * The first half of a reload. All that can fail has failed when the settings were decoded; the returned commit starts,
   * keeps and stops destinations.
   */
  prepare(settings: RemoteWriteSettings): { commit(): void } {
    return {
      commit: () => {
        this.#settings = settings;
        if (this.#isStarted) this.#apply(settings);
      },
    };
  }

  /** Sends what it can in two seconds; the rest waits on disk for the next start. */
  async close(): Promise<void> {
    this.#isStarted = false;
    await this.#changes;
    const all = [...this.#destinations.values()];
    this.#destinations.clear();
    await Promise.all(all.map(({ destination }) => destination.close()));
  }

  status(): readonly DestinationStatus[] {
    return [...this.#destinations.values()].map(({ destination }) => ({
      name: destination.config.name,
      url: shownAddress(destination.config.url),
      cursor: destination.cursor,
      pendingCount: destination.pendingCount,
      shardCount: destination.shardCount,
      highestSentMs: destination.highestSentMs,
    }));
  }

  /** One change after another; a destination is closed before its successor opens the same directory. */
  #apply(settings: RemoteWriteSettings): void {
    this.#changes = this.#changes.then(async () => {
      if (!this.#isStarted) return;
      const wanted = new Map(settings.destinations.map((config) => [config.name, config]));
      for (const [name, { key, destination }] of this.#destinations) {
        const config = wanted.get(name);
        if (config !== undefined && key === settingsKey(config, settings.externalLabels)) {
          wanted.delete(name);
          continue;
        }
        this.#destinations.delete(name);
        await destination.close();
        if (config === undefined || config.url !== destination.config.url) {
          this.#metrics.remove(name, destination.config.url);
        }
      }
      for (const [name, config] of wanted) this.#open(name, config, settings.externalLabels);
    });
  }

  #open(name: string, config: RemoteWriteConfig, externalLabels: Labels): void {
    const { env, dataDirectory, log } = this.#options;
    const directory = `${dataDirectory}/remote/${encodeURIComponent(name)}`;
    try {
      env.files.makeDirectory(directory);
      const destination = new Destination(config, directory, this.#surroundings(externalLabels));
      destination.start();
      this.#destinations.set(name, { key: settingsKey(config, externalLabels), destination });
    } catch (error) {
      // One destination whose queue cannot be opened must not take the others or the role with it.
      log.error('remote write destination cannot start; reload once the cause is removed', {
        remote_name: name,
        directory,
        err: errorText(error),
      });
    }
  }

  #surroundings(externalLabels: Labels): Surroundings {
    const { env, log, wal, userAgent, resolvePath, variables, metadata, dataDirectory } =
      this.#options;
    return {
      env,
      wal,
      log,
      metrics: this.#metrics,
      externalLabels,
      userAgent,
      resolvePath,
      variables,
      metadata: metadata ?? null,
      maxPinnedBytes: () => {
        const set = this.#options.maxPinnedBytes ?? 0;
        if (set > 0) return set;
        const { freeBytes } = env.files.space(dataDirectory);
        return Math.min(DEFAULT_MAX_PINNED_BYTES, freeBytes / 2);
      },
      onRead: (at, counts, highestMs) => {
        if (comparePositions(at, this.#furthest) <= 0) return;
        this.#furthest = at;
        this.#metrics.in.samples.inc(counts.samples);
        this.#metrics.in.histograms.inc(counts.histograms);
        this.#metrics.in.exemplars.inc(counts.exemplars);
        if (highestMs > this.#highestMs) {
          this.#highestMs = highestMs;
          this.#metrics.highestTimestampSeconds.set(highestMs / 1_000);
        }
      },
    };
  }
}

/** Equal exactly for equal settings; secrets count, compiled patterns do not. */
function settingsKey(config: RemoteWriteConfig, externalLabels: Labels): string {
  const text = JSON.stringify(config, function (this: Record<string, unknown>, key, value) {
    if (key === 'pattern' || key === 'program') return undefined;
    const original = this[key];
    return original instanceof Secret ? original.reveal() : (value as unknown);
  });
  return createHash('sha256').update(text).update(externalLabels.key()).digest('hex');
}
