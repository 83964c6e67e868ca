import { errorText, InputError } from '@pollux/base';
import type { Log, MetricFamily } from '@pollux/telemetry';
import { type Collector, FamilyBuilder } from './collector.ts';
import type { Host } from './host.ts';

/** Runs the collectors one after another. One that fails is marked so and concerns no other. */
export function runCollectors(
  collectors: readonly Collector[],
  host: Host,
  log: Log,
): readonly MetricFamily[] {
  const durations = new FamilyBuilder(
    'node_scrape_collector_duration_seconds',
    'gauge',
    'node_exporter: Duration of a collector scrape.',
  );
  const successes = new FamilyBuilder(
    'node_scrape_collector_success',
    'gauge',
    'node_exporter: Whether a collector succeeded.',
  );
  const families: MetricFamily[] = [];
  for (const collector of collectors) {
    const startMs = host.clock.monotonic();
    let success = 1;
    try {
      families.push(...collector.collect(host));
    } catch (error) {
      success = 0;
      log.error('collector failed', { collector: collector.name, err: errorText(error) });
    }
    const seconds = (host.clock.monotonic() - startMs) / 1_000;
    durations.add(seconds, 'collector', collector.name);
    successes.add(success, 'collector', collector.name);
  }
  return [...families, durations.build(), successes.build()];
}

/** The collectors that a request asks for: all enabled, or those of `collect[]`, or all but those of `exclude[]`. */
export function requestedCollectors(
  enabled: readonly Collector[],
  query: URLSearchParams,
): readonly Collector[] {
  const wanted = query.getAll('collect[]');
  const unwanted = query.getAll('exclude[]');
  if (wanted.length > 0 && unwanted.length > 0) {
    throw new CollectorRequestError('Combined collect[] and exclude[] queries are not allowed.');
  }
  for (const name of wanted) {
    if (enabled.some((collector) => collector.name === name)) continue;
    throw new CollectorRequestError(
      `Couldn't create filtered metrics handler: missing or disabled collector: ${name}`,
    );
  }
  if (wanted.length > 0) return enabled.filter(({ name }) => wanted.includes(name));
  return enabled.filter(({ name }) => !unwanted.includes(name));
}

/** A scrape asked for a collector that is not there. */
export class CollectorRequestError extends InputError {
  constructor(message: string) {
    super('NODE_EXPORTER.BAD_COLLECTOR', '', message);
  }
}

/**
 * The collectors to run: those on by default, changed by `--collector.<name>` (true) and `--no-collector.<name>` (false).
 * `disableDefaults` starts from none.
 */
export function enabledCollectors(
  all: readonly Collector[],
  flags: Readonly<Record<string, boolean>> = {},
  disableDefaults = false,
): readonly Collector[] {
  for (const name of Object.keys(flags)) {
    if (!all.some((collector) => collector.name === name)) {
      throw new CollectorRequestError(
        `unknown collector "${name}"; there are ${all.map((one) => one.name).join(', ')}`,
      );
    }
  }
  return all.filter(({ name, isDefault }) => flags[name] ?? (isDefault && !disableDefaults));
}
