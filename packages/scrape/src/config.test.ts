import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ConfigError,
  entryOf,
  object,
  optional,
  parseYaml,
  raw,
  strictContext,
} from '@pollux/config';
import { DEFAULT_SCRAPE_PROTOCOLS } from '@pollux/exposition';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_GLOBAL_SCRAPE,
  globalScrape,
  globalScrapeFields,
  type ScrapeConfig,
  scrapeConfigs,
} from './index.ts';

const fixtures = join(
  process.env.POLLUX_CONFORMANCE ??
    fileURLToPath(new URL('../../../../shared/conformance', import.meta.url)),
  'prometheus-config',
);
const reason = existsSync(fixtures)
  ? ''
  : ' (skipped: no conformance data, set POLLUX_CONFORMANCE)';

const nothing = parseYaml('{}', 'empty');
/** The rest of `global` belongs to other rooms. */
const globalSection = object({
  ...globalScrapeFields,
  evaluation_interval: optional(raw, nothing),
  rule_query_offset: optional(raw, nothing),
  external_labels: optional(raw, nothing),
  query_log_file: optional(raw, nothing),
});

/** Reads the scrape sections of a prometheus.yml, as roles does. */
function read(text: string, file = 'prometheus.yml'): readonly ScrapeConfig[] {
  const root = parseYaml(text, file);
  const context = strictContext();
  const globalNode = entryOf(root, 'global') ?? nothing;
  const written = globalSection(globalNode, 'global', context);
  const global = globalScrape(written, globalNode, 'global');
  const jobs = entryOf(root, 'scrape_configs');
  return jobs === null ? [] : scrapeConfigs(global)(jobs, 'scrape_configs', context);
}

/** Bad files whose fault lies outside of scraping. */
const OTHER_ROOMS =
  /^(?:agent_mode|config_with|empty_alert|empty_r[rw]_|labelname|labelvalue|otlp|remote_|rules|scrape_config_files(?!_fallback|_scrape_protocols)|static_config\.bad|tracing|tsdb)/;
describe.skipIf(reason !== '')(`Prometheus' own configurations${reason}`, () => {
  const names = reason === '' ? readdirSync(fixtures).filter((name) => name.endsWith('.yml')) : [];
  const bad = names.filter((name) => name.includes('.bad.') && !OTHER_ROOMS.test(name));
  const good = names.filter((name) => !name.includes('.bad.') && !name.startsWith('otlp'));

  it('are there', () => {
    expect(bad.length).toBeGreaterThan(60);
    expect(good.length).toBeGreaterThan(30);
  });

  it.each(bad)('%s is refused, with its place', (name) => {
    const text = readFileSync(join(fixtures, name), 'utf8');
    expect(() => read(text, name)).toThrow(ConfigError);
    expect(() => read(text, name)).toThrow(
      new RegExp(`^${name.replaceAll('.', '\\.')}:\\d+:\\d+: `),
    );
  });

  it.each(good)('%s is read, or refused only for what is not served yet', (name) => {
    try {
      read(readFileSync(join(fixtures, name), 'utf8'), name);
    } catch (error) {
      expect((error as Error).message).toMatch(/ is not supported yet/);
    }
  });
});

describe('scrape_configs', () => {
  it('have the defaults of Prometheus', () => {
    const [job] = read('scrape_configs: [{job_name: j}]');
    expect(job).toMatchObject({
      ...DEFAULT_GLOBAL_SCRAPE,
      protocols: DEFAULT_SCRAPE_PROTOCOLS,
      intervalMs: 60_000,
      timeoutMs: 10_000,
      metricsPath: '/metrics',
      scheme: 'http',
      honorLabels: false,
      honorTimestamps: true,
      enableCompression: true,
      fallbackProtocol: null,
    });
  });

  it('ask for protobuf first where native histograms are scraped and nobody names protocols', () => {
    const jobs = read(`
global: {scrape_native_histograms: true}
scrape_configs:
- {job_name: a}
- {job_name: b, scrape_native_histograms: false, native_histogram_min_bucket_factor: 1.1}
- {job_name: c, scrape_protocols: [PrometheusText0.0.4], native_histogram_min_bucket_factor: 1e300}
`);
    expect(jobs.map(({ protocols }) => protocols[0])).toEqual([
      'PrometheusProto',
      'OpenMetricsText1.0.0',
      'PrometheusText0.0.4',
    ]);
    expect(jobs.map(({ maxHistogramSchema }) => maxHistogramSchema)).toEqual([8, 2, -4]);
    const [named] = read(`
global: {scrape_protocols: [PrometheusText1.0.0]}
scrape_configs: [{job_name: a, scrape_native_histograms: true}]
`);
    expect(named!.protocols).toEqual(['PrometheusText1.0.0']);
  });

  it('inherit from global, and a short interval shortens the inherited time-out', () => {
    const jobs = read(`
global: {scrape_interval: 15s, sample_limit: 7, metric_name_validation_scheme: legacy}
scrape_configs: [{job_name: a}, {job_name: b, scrape_interval: 5s, sample_limit: 9}]
`);
    expect(jobs[0]).toMatchObject({
      intervalMs: 15_000,
      timeoutMs: 10_000,
      sampleLimit: 7,
      nameValidation: 'legacy',
      escaping: 'underscores',
    });
    expect(jobs[1]).toMatchObject({ intervalMs: 5_000, timeoutMs: 5_000, sampleLimit: 9 });
  });

  it.each([
    [
      '{job_name: j, consul_sd_configs: [{server: "x:1"}]}',
      'consul_sd_configs is not supported yet',
    ],
    ['{job_name: j, oauth2: {client_id: x}}', 'oauth2 token_url must be configured'],
    ['{job_name: j, no_proxy: x}', 'if no_proxy is configured, proxy_url must also be configured'],
    ['{job_name: j, scrape_intervall: 1s}', 'unknown field "scrape_intervall"'],
    ['{scrape_interval: 1s}', 'job_name is empty'],
    [
      '{job_name: j, scrape_interval: 5s, scrape_timeout: 6s}',
      'scrape timeout 6s is greater than scrape interval 5s',
    ],
    [
      '{job_name: j, static_configs: [{targets: ["http://x"]}]}',
      '"http://x" is not a valid hostname',
    ],
    [
      '{job_name: j, file_sd_configs: [{files: [x.txt]}]}',
      'path name "x.txt" is not valid for file discovery',
    ],
    ['{job_name: j, relabel_configs: [{regex: "(", action: drop}]}', 'error parsing regexp'],
    ['{job_name: j, metric_relabel_configs: [{action: replace}]}', "requires 'target_label' value"],
    [
      '{job_name: j, scrape_protocols: [PrometheusText9]}',
      'unknown scrape protocol PrometheusText9',
    ],
    [
      '{job_name: j, bearer_token: x, basic_auth: {username: u}}',
      'at most one of basic_auth, authorization',
    ],
    ['{job_name: j}, {job_name: j}', 'found multiple scrape configs with job name "j"'],
  ])('%s is refused', (text, message) => {
    expect(() => read(`scrape_configs: [${text}]`)).toThrow(message);
    expect(() => read(`scrape_configs: [${text}]`)).toThrow(
      /^prometheus\.yml:1:\d+: scrape_configs\[/,
    );
  });

  it('allow a URL as target where relabelling may take it apart', () => {
    const [job] = read(`
scrape_configs:
  - job_name: j
    static_configs: [{targets: ["http://x"]}]
    relabel_configs: [{source_labels: [__address__], target_label: __param_target}]
`);
    expect(job!.providers.length).toBe(1);
  });

  it('are equal in identity unless the way of scraping changes', () => {
    const identity = (text: string): string => read(`scrape_configs: [${text}]`)[0]!.identity;
    const base = identity('{job_name: j, static_configs: [{targets: [a]}]}');
    expect(identity('{job_name: j, static_configs: [{targets: [b]}]}')).toBe(base);
    expect(identity('{job_name: j, bearer_token: one}')).not.toBe(
      identity('{job_name: j, bearer_token: two}'),
    );
  });
});
