import { type Clock, errorText, type Files } from '@pollux/base';
import type { Counter, Gauge, Log, Registry, Summary } from '@pollux/telemetry';
import { SnapshotError } from './errors.ts';

/** A state that outlives the process. */
export type Persistent = {
  readonly size: number;
  marshal(): Uint8Array;
  load(data: Uint8Array): void;
  collect(): number;
};

export type SnapshotOptions = {
  readonly clock: Clock;
  readonly files: Files;
  readonly log: Log;
  readonly registry: Registry;
  readonly directory: string;
  /** The file's name and the metrics' word; of the first two as upstream has them. */
  readonly name: 'silences' | 'nflog' | 'pollux-acknowledgements' | 'pollux-recurring';
  readonly state: Persistent;
};

/** Keeps one state in one file, in upstream's format (see the page beside each codec), replaced as a whole. */
export class SnapshotFile {
  readonly #options: SnapshotOptions;
  readonly #path: string;
  readonly #runs: Counter;
  readonly #failures: Counter;
  readonly #sizeBytes: Gauge;
  readonly #collectSeconds: Summary;
  readonly #collectFailures: Counter;
  readonly #writeSeconds: Summary;

  constructor(options: SnapshotOptions) {
    const { registry, name, state } = options;
    this.#options = options;
    this.#path = `${options.directory}/${name}`;
    const isOurs = name.startsWith('pollux-');
    const prefix = isOurs ? name.replace('-', '_alertmanager_') : `alertmanager_${name}`;
    this.#runs = registry.counter(
      `${prefix}_maintenance_total`,
      'How many maintenances were executed.',
    );
    this.#failures = registry.counter(
      `${prefix}_maintenance_errors_total`,
      'How many maintenances were executed that failed.',
    );
    this.#sizeBytes = registry.gauge(
      `${prefix}_snapshot_size_bytes`,
      'Size of the last snapshot in bytes.',
    );
    this.#collectFailures = registry.counter(
      `${prefix}_gc_errors_total`,
      'How many garbage collection errors were encountered.',
    );
    const summary = (suffix: string, help: string): Summary =>
      registry.summaries(`${prefix}_${suffix}`, help, [], []).with();
    this.#collectSeconds = summary(
      'gc_duration_seconds',
      'Duration of the last garbage collection cycle.',
    );
    this.#writeSeconds = summary('snapshot_duration_seconds', 'Duration of the last snapshot.');
    registry.gaugeFrom(
      `${isOurs ? '' : 'pollux_'}${prefix}_entries`,
      'Entries held in memory.',
      () => state.size,
    );
  }

  /** Takes the file over when there is one; throws SnapshotError when it is damaged. */
  load(): void {
    const { files, state } = this.#options;
    if (!files.exists(this.#path)) return;
    try {
      state.load(files.readFile(this.#path));
    } catch (error) {
      throw new SnapshotError(this.#path, error);
    }
  }

  /** Forgets what has expired and writes the rest. A failure is logged and counted; the old file stays. */
  maintain(): void {
    const { clock, files, state, log, name } = this.#options;
    this.#runs.inc();
    try {
      this.#collect();
      const data = timed(clock, this.#writeSeconds, () => {
        const bytes = state.marshal();
        files.replaceFile(this.#path, bytes);
        return bytes;
      });
      this.#sizeBytes.set(data.length);
    } catch (error) {
      this.#failures.inc();
      log.error('Maintenance failed', { snapshot: name, err: errorText(error) });
    }
  }

  #collect(): void {
    const { clock, state } = this.#options;
    try {
      timed(clock, this.#collectSeconds, () => state.collect());
    } catch (error) {
      this.#collectFailures.inc();
      throw error;
    }
  }
}

function timed<T>(clock: Clock, seconds: Summary, run: () => T): T {
  const startMs = clock.monotonic();
  try {
    return run();
  } finally {
    seconds.observe((clock.monotonic() - startMs) / 1_000);
  }
}
