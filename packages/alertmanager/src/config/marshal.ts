import { type ConfigNode, formatYaml, Secret } from '@pollux/config';
import type { HttpConfig } from '@pollux/http';
import { compareText, formatDuration } from '@pollux/model';
import { formatMatcher, sortMatchers } from '../matcher/format.ts';
import type { AlertmanagerConfig } from './config.ts';
import type { EventRecorderConfig } from './event-recorder-config.ts';
import type { GlobalConfig } from './global-config.ts';
import type { InhibitRuleConfig, WrittenSide } from './inhibit-config.ts';
import type { IntegrationConfig, ReceiverConfig } from './receiver-config.ts';
import type { RouteConfig } from './route-config.ts';
import type { TracingConfig } from './tracing-config.ts';

type Plain = Record<string, unknown>;

/** The configuration as the status API shows it: with defaults filled in and every secret as `<secret>`. */
export function marshalConfig(config: AlertmanagerConfig): string {
  return formatYaml(
    withoutEmpty(
      {
        global: globalBlock(config.global),
        route: routeBlock(config.route),
        inhibit_rules: config.inhibitRules.map(inhibitBlock),
        receivers: config.receivers.map((receiver) =>
          receiverBlock({
            ...receiver,
            integrations: receiver.integrations.filter((one) => !config.beside.has(one)),
          }),
        ),
        templates: config.templates,
        mute_time_intervals: timeIntervalBlocks(config, true),
        time_intervals: timeIntervalBlocks(config, false),
        tracing: tracingBlock(config.tracing),
        event_recorder: eventRecorderBlock(config.eventRecorder),
      },
      ['templates'],
    ),
    { inlineLists: ['weekdays', 'days_of_month', 'months', 'years'] },
  );
}

function globalBlock({ resolve_timeout, http_config, ...rest }: GlobalConfig): Plain {
  return {
    resolve_timeout: formatDuration(resolve_timeout),
    http_config: httpBlock(http_config) ?? { follow_redirects: true, enable_http2: true },
    ...withoutEmpty({
      ...rest,
      smtp_tls_config: rest.smtp_tls_config ?? { insecure_skip_verify: false },
    }),
  };
}

function routeBlock(route: RouteConfig): Plain {
  const duration = (ms: number | null): string | null => (ms === null ? null : formatDuration(ms));
  return withoutEmpty(
    {
      receiver: route.receiver,
      group_by: route.groupByAll ? ['...'] : route.groupBy,
      match: sorted(route.written.match),
      match_re: sorted(route.written.matchRe),
      matchers: sortMatchers(route.written.matchers).map(formatMatcher),
      mute_time_intervals: route.muteTimeIntervals,
      active_time_intervals: route.activeTimeIntervals,
      continue: route.continues,
      routes: route.routes.map(routeBlock),
      group_wait: duration(route.groupWaitMs),
      group_interval: duration(route.groupIntervalMs),
      repeat_interval: duration(route.repeatIntervalMs),
      labels: sorted(route.labels),
    },
    ['continue'],
  );
}

function inhibitBlock(rule: InhibitRuleConfig): Plain {
  return withoutEmpty({
    name: rule.name,
    ...sideBlock('source', rule.written.source),
    ...sideBlock('target', rule.written.target),
    equal: rule.equal,
  });
}

function sideBlock(side: string, written: WrittenSide): Plain {
  return {
    [`${side}_match`]: sorted(written.match),
    [`${side}_match_re`]: sorted(written.matchRe),
    [`${side}_matchers`]: sortMatchers(written.matchers).map(formatMatcher),
  };
}

function timeIntervalBlocks(config: AlertmanagerConfig, isDeprecated: boolean): Plain[] {
  return config.timeIntervals
    .filter((interval) => interval.isDeprecated === isDeprecated)
    .map(({ name, written }) => ({ name, time_intervals: written }));
}

function tracingBlock(tracing: TracingConfig | null): Plain | null {
  return tracing === null ? null : withDurations(tracing);
}

function eventRecorderBlock(recorder: EventRecorderConfig | null): Plain | null {
  if (recorder === null) return null;
  const blocks = Object.entries(recorder).map(([key, outputs]) => [
    key,
    (outputs as readonly Plain[]).map(withDurations),
  ]);
  return withoutEmpty(Object.fromEntries(blocks));
}

/** Times as Go writes them, the unset left out. */
function withDurations(block: Readonly<Plain>): Plain {
  const shown = Object.entries(block).map(([key, value]) => {
    if (key === 'http_config') return [key, httpBlock(value as HttpConfig | null)];
    const isTime = /^(?:timeout|retry_backoff|batch_flush_interval)$/.test(key);
    return [key, isTime ? (value === 0 ? null : formatDuration(Number(value))) : value || null];
  });
  return withoutEmpty(Object.fromEntries(shown));
}

/** A user's map, in the order of its keys. It has no prototype, by which {@link cleaned} knows to leave its empty texts. */
function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(map).sort(([a], [b]) => compareText(a, b));
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(entries));
}

function receiverBlock(receiver: ReceiverConfig): Plain {
  const blocks: Record<string, Plain[]> = {};
  for (const integration of receiver.integrations) {
    const key = `${integration.kind}_configs`;
    blocks[key] = [...(blocks[key] ?? []), integrationBlock(integration)];
  }
  const labels = sorted({ ...receiver.labels, name: receiver.name });
  return withoutEmpty({ name: receiver.name, labels, ...blocks });
}

function integrationBlock(config: IntegrationConfig): Plain {
  const shared = { send_resolved: config.sendResolved, http_config: httpBlock(config.http) };
  return withoutEmpty({ ...shared, ...settingsBlock(config.settings), ...mailBlock(config) });
}

/** Of e-mail, the settings of TLS are shown when they say nothing, and those of threads only when they say something. */
function mailBlock(config: IntegrationConfig): Plain {
  if (config.kind !== 'email') return {};
  const { threading, tls_config } = config.settings;
  return {
    tls_config: tls_config ?? { insecure_skip_verify: false },
    threading: withoutEmpty({ ...threading, enabled: threading.enabled || null }),
  };
}

/** Keys of settings that hold times, in ms. */
const GO_DURATIONS = ['timeout', 'retry', 'expire', 'ttl'];
const DURATIONS = ['reopen_duration'];

/** Switches and numbers that upstream leaves out while they are off or zero. */
const SHOWN_WHEN_SET: ReadonlySet<string> = new Set([
  'update_alerts',
  'html',
  'monospace',
  'message_thread_id',
  'disable_notifications',
  'use_fips_sts_endpoint',
  'use_aws_http_client',
]);

function settingsBlock(settings: Readonly<Plain>): Plain {
  const shown = Object.entries(settings).filter(([key, value]) => !isOff(key, value));
  return Object.fromEntries(shown.map(([key, value]) => [key, settingValue(key, value)]));
}

function isOff(key: string, value: unknown): boolean {
  return SHOWN_WHEN_SET.has(key) && (value === false || value === 0);
}

function settingValue(key: string, value: unknown): unknown {
  if (typeof value === 'number' && [...GO_DURATIONS, ...DURATIONS].includes(key)) {
    return formatDuration(value);
  }
  return isNode(value) ? plainNode(value) : nodesAsPlain(value);
}

/** Details and fields are maps of nodes: anything that YAML can hold. */
function nodesAsPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Secret) return value;
  if (Array.isArray(value)) return value.map((item) => cleaned(item));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !isOff(key, item))
      .map(([key, item]) => [key, isNode(item) ? plainNode(item) : item]),
  );
}

function isNode(value: unknown): value is ConfigNode {
  return typeof value === 'object' && value !== null && 'kind' in value && 'place' in value;
}

/** The deprecated bearer token is shown as the authorization that it means. */
function httpBlock(config: HttpConfig | null): Plain | null {
  if (config === null) return null;
  const { bearer_token, bearer_token_file, ...read } = config;
  const rest = { ...proxyShown(read), oauth2: read.oauth2 && proxyShown(read.oauth2) };
  if (bearer_token.reveal() === '' && bearer_token_file === '') return withoutEmpty(rest);
  const authorization = {
    type: 'Bearer',
    credentials: bearer_token,
    credentials_file: bearer_token_file,
  };
  return withoutEmpty({ ...rest, authorization });
}

/** A switch that is shown when it is on. */
function proxyShown<T extends { readonly proxy_from_environment: boolean }>(block: T): Plain {
  return { ...block, proxy_from_environment: block.proxy_from_environment || null };
}

function plainNode(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'null':
      return null;
    case 'scalar':
      return node.isQuoted ? node.text : node.value;
    case 'list':
      return node.items.map(plainNode);
    case 'map':
      return Object.fromEntries(node.entries.map(({ key, value }) => [key, plainNode(value)]));
  }
}

/** Drops what says nothing: null, empty texts, empty secrets, empty lists and maps. Nested maps of http_config too. */
function withoutEmpty(block: Readonly<Plain>, kept: readonly string[] = []): Plain {
  const out: Plain = {};
  for (const [key, value] of Object.entries(block)) {
    if (kept.includes(key) || !isEmpty(value)) out[key] = cleaned(value);
  }
  return out;
}

function cleaned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Secret || Array.isArray(value)) return value;
  if (Object.getPrototypeOf(value) === null) return value;
  return withoutEmpty(value as Plain);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  if (value instanceof Secret) return value.reveal() === '';
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
