import { createHash } from 'node:crypto';
import { dirname, isAbsolute, join } from 'node:path';
import { type Files, InputError } from '@pollux/base';
import {
  type ConfigNode,
  type Decoder,
  entryOf,
  integer,
  list,
  nonNegativeInteger,
  nullable,
  object,
  optional,
  parsed,
  parseYaml,
  plainValue,
  raw,
  record,
  redactedYaml,
  refuse,
  strictContext,
  string,
} from '@pollux/config';
import type { ScrapeProtocol } from '@pollux/exposition';
import { checkTracing, tracingFields, tracingSettings } from '@pollux/http';
import { isLegacyLabelName, Labels, parseDuration } from '@pollux/model';
import {
  type RemoteReadConfig,
  type RemoteWriteConfig,
  remoteReadConfigs,
  remoteWriteConfigs,
} from '@pollux/remote';
import {
  type AlertingConfig,
  alertingConfig,
  loadRuleFiles,
  NO_ALERTING,
  ruleText,
} from '@pollux/rules';
import {
  DEFAULT_GLOBAL_SCRAPE,
  decodeScrapeConfig,
  type GlobalScrape,
  globalScrape,
  globalScrapeFields,
  type ScrapeConfig,
  scrapeConfigs,
} from '@pollux/scrape';
import type { TracingSettings } from '@pollux/telemetry';
import type { DownsamplingRule, RetentionRule, SeriesLimits } from '@pollux/tsdb';
import { readTextFile } from '../runtime/read-file.ts';
import { downsamplingRules } from './downsampling-config.ts';
import { type RetentionSection, retentionRules, retentionSection } from './retention-config.ts';

const duration = parsed(parseDuration);

/** prometheus.yml, checked and complete. Times in ms. */
export type ServerConfig = {
  readonly file: string;
  readonly scrape: GlobalScrape;
  readonly evaluationIntervalMs: number;
  readonly queryOffsetMs: number;
  readonly externalLabels: Labels;
  /** Joined to the file's folder; empty for none. */
  readonly queryLogFile: string;
  /** Patterns, joined to the file's folder. */
  readonly ruleFiles: readonly string[];
  readonly jobs: readonly ScrapeConfig[];
  readonly alerting: AlertingConfig;
  readonly remoteWrites: readonly RemoteWriteConfig[];
  readonly remoteReads: readonly RemoteReadConfig[];
  /** Null: the flags decide. */
  readonly retention: RetentionSection | null;
  readonly retentionRules: readonly RetentionRule[];
  readonly downsampling: readonly DownsamplingRule[];
  /** How far behind the newest sample of the database a sample may be; 0 = out-of-order samples are refused. */
  readonly outOfOrderWindowMs: number;
  readonly seriesLimits: SeriesLimits;
  /** Exemplars kept in memory over all series; 0 = none. */
  readonly maxExemplars: number;
  /** Null for no traces. */
  readonly tracing: TracingSettings | null;
  /** For `/api/v1/status/config`, secrets hidden. */
  readonly shownYaml: string;
  /** Hash of scrape and rule configuration without replica labels; equal on replicas of one pair. */
  readonly identity: string;
};

const globalSection = object({
  ...globalScrapeFields,
  evaluation_interval: optional(duration, 60_000),
  rule_query_offset: optional(duration, 0),
  external_labels: optional(record(string), {}),
  query_log_file: optional(string, ''),
});

/** Beyond Prometheus, which refuses the key. 0 = no limit. */
const seriesLimits = object({
  total: optional(nonNegativeInteger, 0),
  per_job: optional(nonNegativeInteger, 0),
  per_target: optional(nonNegativeInteger, 0),
  new_per_job_per_hour: optional(nonNegativeInteger, 0),
});

const NO_LIMITS = { total: 0, per_job: 0, per_target: 0, new_per_job_per_hour: 0 };

/** They take some hundred bytes each. */
const MAX_EXEMPLARS = 10_000_000;
const DEFAULT_EXEMPLARS = 100_000;
/** The section is not given: then a feature flag decides. */
const NO_EXEMPLARS = { max_exemplars: 0 };

const NO_STORAGE = {
  exemplars: NO_EXEMPLARS,
  tsdb: {
    out_of_order_time_window: 0,
    retention: null,
    retention_rules: [],
    downsampling: [],
    series_limits: NO_LIMITS,
  },
};

const storageSection = object({
  exemplars: optional(
    object({ max_exemplars: optional(integer, DEFAULT_EXEMPLARS) }),
    NO_EXEMPLARS,
  ),
  tsdb: optional(
    object({
      out_of_order_time_window: optional(duration, 0),
      retention: optional(nullable(retentionSection), null),
      retention_rules: optional(retentionRules, []),
      downsampling: optional(downsamplingRules, []),
      series_limits: optional(seriesLimits, NO_LIMITS),
    }),
    NO_STORAGE.tsdb,
  ),
});

const tracingBlock = object({ ...tracingFields, headers: optional(record(string), {}) });
const tracingConfig: Decoder<ReturnType<typeof tracingBlock>> = (node, path, context) => {
  const read = tracingBlock(node, path, context);
  checkTracing(node, path, read);
  return read;
};

const rootSection = object({
  global: optional(raw, { kind: 'null', place: { file: '', line: 0, column: 0 } }),
  runtime: optional(object({ gogc: optional(integer, 75) }), { gogc: 75 }),
  rule_files: optional(list(string), []),
  scrape_config_files: optional(list(string), []),
  scrape_configs: optional(raw, { kind: 'null', place: { file: '', line: 0, column: 0 } }),
  alerting: optional(alertingConfig(), NO_ALERTING),
  remote_write: optional(remoteWriteConfigs, []),
  remote_read: optional(remoteReadConfigs, []),
  storage: optional(storageSection, NO_STORAGE),
  tracing: optional(nullable(tracingConfig), null),
});

export type LoadOptions = {
  readonly files: Files;
  readonly file: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** External labels that tell replicas apart; they are no part of the identity. */
  readonly replicaLabels: readonly string[];
  /** False leaves the rule files alone, for a look at the syntax only; the identity is then of no use. Default true. */
  readonly readsRules?: boolean;
  /** Whether exemplars are kept where the file does not say how many. Default false. */
  readonly keepsExemplars?: boolean;
  /** What is asked for where the file does not say. Default: as it follows from the other settings. */
  readonly scrapeProtocols?: readonly ScrapeProtocol[];
};

function maxExemplars(written: typeof NO_EXEMPLARS, { keepsExemplars }: LoadOptions): number {
  if (written === NO_EXEMPLARS) return keepsExemplars === true ? DEFAULT_EXEMPLARS : 0;
  return Math.max(0, written.max_exemplars);
}

/** Reads and checks prometheus.yml and all it names. Throws ConfigError at `file:line:column`. */
export function loadServerConfig(options: LoadOptions): ServerConfig {
  const { files, file, variables } = options;
  const root = parseYaml(readTextFile(files, file), file);
  const context = strictContext();
  const section = rootSection(root, '', context);
  const globalNode = section.global;
  const global = globalSection(globalNode, 'global', context);
  const defaults = { ...DEFAULT_GLOBAL_SCRAPE, protocols: options.scrapeProtocols ?? null };
  const scrape =
    globalNode.kind === 'null' ? defaults : globalScrape(global, globalNode, 'global', defaults);
  const resolve = (name: string): string => (isAbsolute(name) ? name : join(dirname(file), name));
  const ruleFiles = section.rule_files.map(resolve);
  const jobs = [
    ...scrapeConfigs(scrape)(section.scrape_configs, 'scrape_configs', context),
    ...section.scrape_config_files.flatMap((pattern) =>
      jobsOfFiles(files, resolve(pattern), scrape),
    ),
  ];
  refuseDuplicateJobs(root, jobs);
  if (section.storage.exemplars.max_exemplars > MAX_EXEMPLARS) {
    refuse(root, 'storage.exemplars.max_exemplars', `must be at most ${MAX_EXEMPLARS}`);
  }
  return {
    file,
    scrape,
    evaluationIntervalMs: global.evaluation_interval,
    queryOffsetMs: global.rule_query_offset,
    externalLabels: externalLabels(globalNode, global.external_labels, variables),
    queryLogFile: resolverOf(file)(global.query_log_file),
    ruleFiles,
    jobs,
    alerting: section.alerting,
    remoteWrites: section.remote_write,
    remoteReads: section.remote_read,
    retention: section.storage.tsdb.retention,
    retentionRules: section.storage.tsdb.retention_rules,
    downsampling: section.storage.tsdb.downsampling,
    outOfOrderWindowMs: section.storage.tsdb.out_of_order_time_window,
    seriesLimits: limitsOf(section.storage.tsdb.series_limits),
    // A negative number means none, as with Prometheus.
    maxExemplars: maxExemplars(section.storage.exemplars, options),
    tracing:
      section.tracing === null
        ? null
        : tracingSettings(section.tracing, section.tracing.headers, files, resolverOf(file)),
    shownYaml: redactedYaml(root),
    identity: identityOf(root, ruleFiles, options),
  };
}

function limitsOf(limits: typeof NO_LIMITS): SeriesLimits {
  return {
    total: limits.total,
    perJob: limits.per_job,
    perTarget: limits.per_target,
    newPerJobPerHour: limits.new_per_job_per_hour,
  };
}

/** Joins a relative name to the folder of the configuration file, as Prometheus does. */
export function resolverOf(file: string): (name: string) => string {
  return (name) => (name === '' || isAbsolute(name) ? name : join(dirname(file), name));
}

/** `$NAME`, `${NAME}` from the environment, `$$` for a dollar; an undefined name is empty. */
function externalLabels(
  node: ConfigNode,
  written: Readonly<Record<string, string>>,
  variables: LoadOptions['variables'],
): Labels {
  const expanded: Record<string, string> = {};
  for (const [name, value] of Object.entries(written)) {
    if (!isLegacyLabelName(name))
      refuse(node, 'global.external_labels', `"${name}" is no valid label name`);
    expanded[name] = value.replace(
      /\$(?:\$|\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, bare?: string) =>
        whole === '$$' ? '$' : (variables[braced ?? bare ?? ''] ?? ''),
    );
  }
  return Labels.from(expanded);
}

function jobsOfFiles(files: Files, pattern: string, scrape: GlobalScrape): ScrapeConfig[] {
  const folder = dirname(pattern);
  const name = pattern.slice(folder.length).replace(/^\//, '');
  if (/[*?[]/.test(folder))
    throw new InputError('ROLES.BAD_PATTERN', pattern, 'only the last element may hold a *');
  const matches = new RegExp(`^${name.split('*').map(escapePattern).join('.*')}$`);
  const names = name.includes('*')
    ? files.list(folder).filter((entry) => matches.test(entry))
    : [name];
  return names.flatMap((entry) => {
    const file = join(folder, entry);
    const root = parseYaml(readTextFile(files, file), file);
    const context = strictContext();
    const section = object({ scrape_configs: optional(list(raw), []) })(root, '', context);
    return section.scrape_configs.map((node, index) =>
      decodeScrapeConfig(node, `scrape_configs[${index}]`, context, scrape),
    );
  });
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function refuseDuplicateJobs(root: ConfigNode, jobs: readonly ScrapeConfig[]): void {
  const seen = new Set<string>();
  for (const { jobName } of jobs) {
    if (seen.has(jobName)) {
      refuse(
        root,
        'scrape_configs',
        `found multiple scrape configs with job name ${JSON.stringify(jobName)}`,
      );
    }
    seen.add(jobName);
  }
}

function identityOf(root: ConfigNode, ruleFiles: readonly string[], options: LoadOptions): string {
  const global = entryOf(root, 'global');
  const globalValue = (global === null ? {} : plainValue(global)) as Record<string, unknown>;
  const labels = { ...((globalValue.external_labels ?? {}) as Record<string, unknown>) };
  for (const name of options.replicaLabels) delete labels[name];
  const hash = createHash('sha256');
  const scrapes = entryOf(root, 'scrape_configs');
  hash.update(
    JSON.stringify([
      { ...globalValue, external_labels: labels },
      scrapes === null ? [] : plainValue(scrapes),
    ]),
  );
  if (options.readsRules === false) return hash.digest('hex').slice(0, 16);
  // Loading them here also refuses a broken rule file before anything is touched.
  for (const group of loadRuleFiles(options.files, ruleFiles, { scheme: 'utf8', parser: {} })) {
    const { name, intervalMs, queryOffsetMs, limit, rules } = group;
    hash.update(JSON.stringify([name, intervalMs, queryOffsetMs, limit, rules.map(ruleText)]));
  }
  return hash.digest('hex').slice(0, 16);
}
