import type { TargetGroup } from '@pollux/discovery';
import type { HistogramOptions } from '@pollux/exposition';
import {
  formatDuration,
  INSTANCE_LABEL,
  JOB_LABEL,
  type Labels,
  LabelsBuilder,
  parseDuration,
  relabel,
} from '@pollux/model';
import type { ScrapeConfig } from './config.ts';

const ADDRESS = '__address__';
const SCHEME = '__scheme__';
const METRICS_PATH = '__metrics_path__';
const SCRAPE_INTERVAL = '__scrape_interval__';
const SCRAPE_TIMEOUT = '__scrape_timeout__';
/** Whether native histograms are scraped and so on, with what an error calls it. */
const HISTOGRAM_SWITCHES = [
  [
    '__convert_classic_histograms_to_nhcb__',
    'toCustomBuckets',
    'convert classic histograms to nhcb',
  ],
  ['__always_scrape_classic_histograms__', 'alwaysClassic', 'always scrape classic histograms'],
  ['__scrape_native_histograms__', 'native', 'scrape native histograms'],
] as const;
/** As Go reads a boolean. */
const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;
const PARAM_PREFIX = '__param_';
const RESERVED_PREFIX = '__';

/** A target as it will be scraped. */
export type Target = {
  /** Before relabelling, with the defaults of the job. */
  readonly discovered: Labels;
  /** After relabelling, without reserved labels. */
  readonly labels: Labels;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly histograms: HistogramOptions;
};

export type TargetOutcome =
  | { readonly kind: 'active'; readonly target: Target }
  | { readonly kind: 'dropped'; readonly discovered: Labels }
  | { readonly kind: 'failed'; readonly discovered: Labels; readonly reason: string };

/** What becomes of the target `own` of `group` under the job's settings and relabelling. */
export function populateTarget(
  own: Labels,
  group: TargetGroup,
  config: ScrapeConfig,
): TargetOutcome {
  const discovered = discoveredLabels(own, group, config);
  const relabelled = relabel(discovered, config.relabelSteps);
  if (relabelled === null) return { kind: 'dropped', discovered };
  const fail = (reason: string): TargetOutcome => ({ kind: 'failed', discovered, reason });
  const address = relabelled.get(ADDRESS);
  if (address === '') return fail('no address');
  if (address.includes('/')) return fail(`${JSON.stringify(address)} is not a valid hostname`);
  const intervalMs = durationOf(relabelled.get(SCRAPE_INTERVAL));
  if (intervalMs === null)
    return fail('error parsing scrape interval; it must be a duration above 0');
  const timeoutMs = durationOf(relabelled.get(SCRAPE_TIMEOUT));
  if (timeoutMs === null)
    return fail('error parsing scrape timeout; it must be a duration above 0');
  if (timeoutMs > intervalMs) return fail('scrape timeout cannot be greater than scrape interval');
  const histograms = { ...config.histograms };
  for (const [label, option, what] of HISTOGRAM_SWITCHES) {
    const text = relabelled.get(label);
    // Empty where relabelling took it away: then the job decides.
    if (text === '') continue;
    if (!TRUE.test(text) && !FALSE.test(text))
      return fail(`error parsing ${what}: ${JSON.stringify(text)} is no boolean`);
    histograms[option] = TRUE.test(text);
  }
  const url = targetUrl(relabelled, config);
  if (url === null) return fail(`${JSON.stringify(address)} gives no valid URL`);
  const builder = new LabelsBuilder();
  for (const [name, value] of relabelled) {
    if (!name.startsWith(RESERVED_PREFIX)) builder.set(name, value);
  }
  if (builder.get(INSTANCE_LABEL) === '') builder.set(INSTANCE_LABEL, address);
  const target = { discovered, labels: builder.build(), url, intervalMs, timeoutMs, histograms };
  return { kind: 'active', target };
}

/** Labels of target and group over the job's defaults; what discovery says goes before the job. */
function discoveredLabels(own: Labels, group: TargetGroup, config: ScrapeConfig): Labels {
  const builder = new LabelsBuilder();
  builder.set(JOB_LABEL, config.jobName);
  builder.set(SCRAPE_INTERVAL, formatDuration(config.intervalMs));
  builder.set(SCRAPE_TIMEOUT, formatDuration(config.timeoutMs));
  builder.set(METRICS_PATH, config.metricsPath);
  builder.set(SCHEME, config.scheme);
  for (const [label, option] of HISTOGRAM_SWITCHES)
    builder.set(label, String(config.histograms[option]));
  for (const [name, values] of Object.entries(config.params)) {
    const first = values[0];
    if (first !== undefined) builder.set(PARAM_PREFIX + name, first);
  }
  for (const [name, value] of group.labels) builder.set(name, value);
  for (const [name, value] of own) builder.set(name, value);
  return builder.build();
}

function durationOf(text: string): number | null {
  try {
    const durationMs = parseDuration(text);
    return durationMs > 0 ? durationMs : null;
  } catch {
    // The reason goes into the target's own message.
    return null;
  }
}

/** The first value of a parameter comes from its label, further ones from the job. */
function targetUrl(labels: Labels, config: ScrapeConfig): string | null {
  const params = new Map<string, string[]>();
  for (const [name, values] of Object.entries(config.params)) params.set(name, [...values]);
  for (const [label, value] of labels) {
    if (!label.startsWith(PARAM_PREFIX)) continue;
    const name = label.slice(PARAM_PREFIX.length);
    const values = params.get(name) ?? [];
    values[0] = value;
    params.set(name, values);
  }
  const query = new URLSearchParams();
  for (const name of [...params.keys()].sort()) {
    for (const value of params.get(name) ?? []) query.append(name, value);
  }
  const metricsPath = labels.get(METRICS_PATH);
  const path = metricsPath.startsWith('/') || metricsPath === '' ? metricsPath : `/${metricsPath}`;
  const search = query.size === 0 ? '' : `${path.includes('?') ? '&' : '?'}${query}`;
  const url = `${labels.get(SCHEME)}://${labels.get(ADDRESS)}${path}${search}`;
  return URL.canParse(url) ? url : null;
}
