import {
  boolean,
  byteSize,
  type ConfigNode,
  type DecodeContext,
  type Decoded,
  type Decoder,
  list,
  nonNegativeInteger,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  record,
  refuse,
  string,
} from '@pollux/config';
import { discoveryFields, nodeIdentity, type ProviderSpec, providersOf } from '@pollux/discovery';
import {
  DEFAULT_SCRAPE_PROTOCOLS,
  type EscapingScheme,
  type HistogramOptions,
  PROTOBUF_FIRST_SCRAPE_PROTOCOLS,
  SCRAPE_PROTOCOLS,
  type ScrapeProtocol,
} from '@pollux/exposition';
import { checkHttpConfig, type HttpConfig, httpConfigFields } from '@pollux/http';
import { formatDuration, parseDuration, type RelabelStep } from '@pollux/model';
import { type NameValidation, nameValidation, relabelConfigs } from '@pollux/relabel-config';

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Of exponential buckets. */
const MIN_SCHEMA = -4;
const MAX_SCHEMA = 8;

const duration = parsed(parseDuration);

const scrapeProtocol: Decoder<ScrapeProtocol> = (node, path, context) => {
  const name = string(node, path, context);
  const found = SCRAPE_PROTOCOLS.find((protocol) => protocol === name);
  return (
    found ??
    refuse(node, path, `unknown scrape protocol ${name}, supported: ${SCRAPE_PROTOCOLS.join(', ')}`)
  );
};

const scrapeProtocols: Decoder<readonly ScrapeProtocol[]> = (node, path, context) => {
  const protocols = list(scrapeProtocol)(node, path, context);
  if (protocols.length === 0) refuse(node, path, 'scrape_protocols cannot be empty');
  if (new Set(protocols).size !== protocols.length)
    refuse(node, path, 'a protocol is listed twice in scrape_protocols');
  return protocols;
};

const escapingScheme: Decoder<EscapingScheme> = oneOf(
  'allow-utf-8',
  'underscores',
  'dots',
  'values',
);

/** A size needs its unit, as in Prometheus; only 0 stands alone. */
const sizeWithUnit: Decoder<number> = (node, path, context) => {
  const text = string(node, path, context);
  if (/^\d+$/.test(text.trim()) && Number(text) !== 0)
    refuse(node, path, `"${text}" has no unit; write for example ${text}MB`);
  return byteSize(node, path, context);
};

/** Settings that `global` and each job share; null where the job inherits. Limits: 0 is no limit. */
const sharedFields = {
  scrape_interval: optional(nullable(duration), null),
  scrape_timeout: optional(nullable(duration), null),
  scrape_protocols: optional(nullable(scrapeProtocols), null),
  scrape_failure_log_file: optional(nullable(string), null),
  body_size_limit: optional(nullable(sizeWithUnit), null),
  sample_limit: optional(nullable(nonNegativeInteger), null),
  target_limit: optional(nullable(nonNegativeInteger), null),
  label_limit: optional(nullable(nonNegativeInteger), null),
  label_name_length_limit: optional(nullable(nonNegativeInteger), null),
  label_value_length_limit: optional(nullable(nonNegativeInteger), null),
  keep_dropped_targets: optional(nullable(nonNegativeInteger), null),
  metric_name_validation_scheme: optional(nullable(nameValidation), null),
  metric_name_escaping_scheme: optional(nullable(escapingScheme), null),
  scrape_native_histograms: optional(nullable(boolean), null),
  convert_classic_histograms_to_nhcb: optional(nullable(boolean), null),
  always_scrape_classic_histograms: optional(nullable(boolean), null),
  extra_scrape_metrics: optional(nullable(boolean), null),
} as const;

/** The scrape part of `global`, to be spread into the fields of that section. */
export const globalScrapeFields = sharedFields;

type WrittenShared = Decoded<typeof sharedFields>;

const jobFields = {
  ...sharedFields,
  ...httpConfigFields,
  job_name: optional(string, ''),
  honor_labels: optional(boolean, false),
  honor_timestamps: optional(boolean, true),
  track_timestamps_staleness: optional(boolean, false),
  params: optional(record(list(string)), {}),
  fallback_scrape_protocol: optional(nullable(scrapeProtocol), null),
  metrics_path: optional(string, '/metrics'),
  scheme: optional(oneOf('http', 'https'), 'http'),
  enable_compression: optional(boolean, true),
  native_histogram_bucket_limit: optional(nonNegativeInteger, 0),
  native_histogram_min_bucket_factor: optional(number, 0),
} as const;

/** `global` with every default in place. Times in ms, sizes in bytes; limits: 0 is no limit. */
export type GlobalScrape = {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Null where no file names any: the order then follows from {@link histograms}. */
  readonly protocols: readonly ScrapeProtocol[] | null;
  readonly histograms: HistogramOptions;
  readonly bodySizeLimitBytes: number;
  readonly sampleLimit: number;
  readonly targetLimit: number;
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  readonly keepDroppedTargets: number;
  readonly nameValidation: NameValidation;
  readonly escaping: EscapingScheme;
  readonly extraScrapeMetrics: boolean;
};

/** One job, complete and checked. */
export type ScrapeConfig = GlobalScrape & {
  readonly protocols: readonly ScrapeProtocol[];
  readonly jobName: string;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly fallbackProtocol: ScrapeProtocol | null;
  readonly metricsPath: string;
  readonly scheme: 'http' | 'https';
  readonly enableCompression: boolean;
  /** Buckets of one native histogram; 0 is no limit. */
  readonly nativeHistogramBucketLimit: number;
  /** The finest schema that is stored, from `native_histogram_min_bucket_factor`. */
  readonly maxHistogramSchema: number;
  readonly relabelSteps: readonly RelabelStep[];
  readonly metricRelabelSteps: readonly RelabelStep[];
  readonly client: HttpConfig;
  readonly providers: readonly ProviderSpec[];
  /** Equal for jobs that scrape alike; discovery is left out. May hold secrets: compared, never printed. */
  readonly identity: string;
};

export const DEFAULT_GLOBAL_SCRAPE: GlobalScrape = {
  intervalMs: DEFAULT_INTERVAL_MS,
  timeoutMs: DEFAULT_TIMEOUT_MS,
  protocols: null,
  histograms: { native: false, alwaysClassic: false, toCustomBuckets: false },
  bodySizeLimitBytes: 0,
  sampleLimit: 0,
  targetLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  keepDroppedTargets: 0,
  nameValidation: 'utf8',
  escaping: 'allow-utf-8',
  extraScrapeMetrics: false,
};

/** Completes what {@link globalScrapeFields} decoded; `node` is the `global` section, for places. */
export function globalScrape(
  written: WrittenShared,
  node: ConfigNode,
  path: string,
  base = DEFAULT_GLOBAL_SCRAPE,
): GlobalScrape {
  return complete(written, base, node, path);
}

/** The whole `scrape_configs` list. Job names must be unique. */
export function scrapeConfigs(global: GlobalScrape): Decoder<readonly ScrapeConfig[]> {
  return (node, path, context) => {
    const seen = new Set<string>();
    return list<ScrapeConfig>((child, childPath) => {
      const config = decodeScrapeConfig(child, childPath, context, global);
      if (seen.has(config.jobName)) {
        refuse(
          child,
          childPath,
          `found multiple scrape configs with job name ${JSON.stringify(config.jobName)}`,
        );
      }
      seen.add(config.jobName);
      return config;
    })(node, path, context);
  };
}

/** One entry of `scrape_configs`. Throws ConfigError with the place. */
export function decodeScrapeConfig(
  node: ConfigNode,
  path: string,
  context: DecodeContext,
  global: GlobalScrape,
): ScrapeConfig {
  if (node.kind === 'null') refuse(node, path, 'empty or null scrape config section');
  const validation = validationOf(node, path, context, global);
  const decoder = object({
    ...discoveryFields,
    ...jobFields,
    relabel_configs: optional(relabelConfigs(validation), []),
    metric_relabel_configs: optional(relabelConfigs(validation), []),
  });
  const written = decoder(node, path, context) as Decoded<typeof jobFields> & {
    readonly relabel_configs: readonly RelabelStep[];
    readonly metric_relabel_configs: readonly RelabelStep[];
  };
  if (written.job_name === '') refuse(node, path, 'job_name is empty');
  checkHttpConfig(node, path, written);
  if (written.relabel_configs.length === 0) refuseAddressesWithPath(node, path);
  const shared = complete(written, global, node, path);
  return {
    ...shared,
    protocols:
      shared.protocols ??
      (shared.histograms.native ? PROTOBUF_FIRST_SCRAPE_PROTOCOLS : DEFAULT_SCRAPE_PROTOCOLS),
    nativeHistogramBucketLimit: written.native_histogram_bucket_limit,
    maxHistogramSchema: schemaOfFactor(written.native_histogram_min_bucket_factor),
    jobName: written.job_name,
    honorLabels: written.honor_labels,
    honorTimestamps: written.honor_timestamps,
    trackTimestampsStaleness: written.track_timestamps_staleness,
    params: written.params,
    fallbackProtocol: written.fallback_scrape_protocol,
    metricsPath: written.metrics_path,
    scheme: written.scheme,
    enableCompression: written.enable_compression,
    relabelSteps: written.relabel_configs,
    metricRelabelSteps: written.metric_relabel_configs,
    client: written,
    providers: providersOf(written as unknown as Readonly<Record<string, unknown>>),
    identity: JSON.stringify(shared) + nodeIdentity(withoutDiscovery(node)),
  };
}

/** The scheme decides how relabelling is checked, so it is read before the rest. */
function validationOf(
  node: ConfigNode,
  path: string,
  context: DecodeContext,
  global: GlobalScrape,
): NameValidation {
  const entry =
    node.kind === 'map'
      ? node.entries.find(({ key }) => key === 'metric_name_validation_scheme')
      : undefined;
  if (entry === undefined || entry.value.kind === 'null') return global.nameValidation;
  return nameValidation(entry.value, `${path}.metric_name_validation_scheme`, context);
}

function complete(
  written: WrittenShared,
  base: GlobalScrape,
  node: ConfigNode,
  path: string,
): GlobalScrape {
  // Zero stands for "not set", as in Prometheus.
  const intervalMs = written.scrape_interval || base.intervalMs;
  const timeoutMs = written.scrape_timeout || Math.min(base.timeoutMs, intervalMs);
  if (timeoutMs > intervalMs) {
    refuse(
      node,
      path,
      `scrape timeout ${formatDuration(timeoutMs)} is greater than scrape interval ${formatDuration(intervalMs)}`,
    );
  }
  const validation = written.metric_name_validation_scheme ?? base.nameValidation;
  const inherited =
    validation === 'legacy' && base.escaping === 'allow-utf-8' ? 'underscores' : base.escaping;
  const escaping = written.metric_name_escaping_scheme ?? inherited;
  if (validation === 'legacy' && escaping === 'allow-utf-8') {
    refuse(
      node,
      path,
      'utf8 metric names requested but validation scheme is not set to UTF8; use another metric_name_escaping_scheme',
    );
  }
  return {
    intervalMs,
    timeoutMs,
    protocols: written.scrape_protocols ?? base.protocols,
    histograms: {
      native: written.scrape_native_histograms ?? base.histograms.native,
      alwaysClassic: written.always_scrape_classic_histograms ?? base.histograms.alwaysClassic,
      toCustomBuckets:
        written.convert_classic_histograms_to_nhcb ?? base.histograms.toCustomBuckets,
    },
    bodySizeLimitBytes: written.body_size_limit || base.bodySizeLimitBytes,
    sampleLimit: written.sample_limit || base.sampleLimit,
    targetLimit: written.target_limit || base.targetLimit,
    labelLimit: written.label_limit || base.labelLimit,
    labelNameLengthLimit: written.label_name_length_limit || base.labelNameLengthLimit,
    labelValueLengthLimit: written.label_value_length_limit || base.labelValueLengthLimit,
    keepDroppedTargets: written.keep_dropped_targets || base.keepDroppedTargets,
    nameValidation: validation,
    escaping,
    extraScrapeMetrics: written.extra_scrape_metrics ?? base.extraScrapeMetrics,
  };
}

/** The finest schema whose buckets grow by at least `factor`; 1 and less ask for the finest of all. */
function schemaOfFactor(factor: number): number {
  if (factor <= 1) return MAX_SCHEMA;
  const schema = Math.floor(-Math.log2(Math.log2(factor)));
  return Math.min(Math.max(schema, MIN_SCHEMA), MAX_SCHEMA);
}

/** A URL where an address belongs is a common slip; relabelling may take it apart, so then it is allowed. */
function refuseAddressesWithPath(node: ConfigNode, path: string): void {
  const groups =
    node.kind === 'map'
      ? node.entries.find(({ key }) => key === 'static_configs')?.value
      : undefined;
  if (groups?.kind !== 'list') return;
  for (const group of groups.items) {
    if (group.kind !== 'map') continue;
    const targets = group.entries.find(({ key }) => key === 'targets')?.value;
    if (targets?.kind !== 'list') continue;
    for (const target of targets.items) {
      if (target.kind === 'scalar' && target.text.includes('/'))
        refuse(target, `${path}.static_configs`, `"${target.text}" is not a valid hostname`);
    }
  }
}

function withoutDiscovery(node: ConfigNode): ConfigNode {
  if (node.kind !== 'map') return node;
  return {
    ...node,
    entries: node.entries.filter(({ key }) => !Object.hasOwn(discoveryFields, key)),
  };
}
