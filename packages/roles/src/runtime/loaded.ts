import { type Clock, errorText } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';

export type LoadedOptions<C> = {
  readonly clock: Clock;
  readonly log: Log;
  readonly load: () => C;
  /** Checks what loading could not; the returned function makes the configuration live and cannot fail. */
  readonly prepare: (config: C) => () => Promise<void> | void;
};

/**
 * The running configuration of a role. A reload loads and prepares everything first and touches the running state only
 * when nothing can fail any more; a bad file leaves all as it was and is shown in the peer's metrics.
 */
export class Loaded<C> {
  readonly #options: LoadedOptions<C>;
  #current: C;
  #isGood = true;
  #atMs: number;
  #reloading: Promise<void> = Promise.resolve();

  constructor(
    options: LoadedOptions<C>,
    first: C,
    metrics: { readonly registry: Registry; readonly namespace: string },
  ) {
    this.#options = options;
    this.#current = first;
    this.#atMs = options.clock.now();
    const { registry, namespace } = metrics;
    registry.gaugeFrom(
      `${namespace}_config_last_reload_successful`,
      'Whether the last configuration reload attempt was successful.',
      () => (this.#isGood ? 1 : 0),
    );
    registry.gaugeFrom(
      `${namespace}_config_last_reload_success_timestamp_seconds`,
      'Timestamp of the last successful configuration reload.',
      () => this.#atMs / 1_000,
    );
  }

  get config(): C {
    return this.#current;
  }

  get isGood(): boolean {
    return this.#isGood;
  }

  /** Wall clock of the last successful load, ms. */
  get atMs(): number {
    return this.#atMs;
  }

  /** One reload after another. Rejects with what is wrong; then nothing has changed. */
  reload(): Promise<void> {
    const next = this.#reloading.then(() => this.#reload());
    this.#reloading = next.catch(() => {});
    return next;
  }

  async #reload(): Promise<void> {
    const { load, prepare, clock, log } = this.#options;
    try {
      const config = load();
      const commit = prepare(config);
      await commit();
      this.#current = config;
      this.#isGood = true;
      this.#atMs = clock.now();
      log.info('Completed loading of configuration file');
    } catch (error) {
      this.#isGood = false;
      log.error('loading the configuration failed; the old one runs on', { err: errorText(error) });
      throw error;
    }
  }
}
