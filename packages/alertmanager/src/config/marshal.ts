import { type ConfigNode, formatYaml, Secret } from '@pollux/config';
import type { ClientConfig } from '@pollux/http';
import { formatDuration } from '@pollux/model';
import { formatMatcher } from '../matcher/format.ts';
import type { AlertmanagerConfig } from './config.ts';
import type { GlobalConfig } from './global-config.ts';
import type { InhibitRuleConfig } from './inhibit-config.ts';
import type { IntegrationConfig, ReceiverConfig } from './receiver-config.ts';
import type { RouteConfig } from './route-config.ts';

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
        time_intervals: config.timeIntervals.map(({ name, written }) => ({
          name,
          time_intervals: written,
        })),
      },
      ['templates'],
    ),
  );
}

function globalBlock({ resolve_timeout, http_config, ...rest }: GlobalConfig): Plain {
  return {
    resolve_timeout: formatDuration(resolve_timeout),
    http_config: httpBlock(http_config) ?? { follow_redirects: true, enable_http2: true },
    ...withoutEmpty(rest),
  };
}

function routeBlock(route: RouteConfig): Plain {
  const duration = (ms: number | null): string | null => (ms === null ? null : formatDuration(ms));
  return withoutEmpty(
    {
      receiver: route.receiver,
      group_by: route.groupByAll ? ['...'] : route.groupBy,
      matchers: route.matchers.map(formatMatcher),
      mute_time_intervals: route.muteTimeIntervals,
      active_time_intervals: route.activeTimeIntervals,
      labels: route.labels,
      continue: route.continues,
      routes: route.routes.map(routeBlock),
      group_wait: duration(route.groupWaitMs),
      group_interval: duration(route.groupIntervalMs),
      repeat_interval: duration(route.repeatIntervalMs),
    },
    route.groupBy === null ? [] : ['group_by'],
  );
}

function inhibitBlock(rule: InhibitRuleConfig): Plain {
  return withoutEmpty({
    name: rule.name,
    source_matchers: rule.source.map(formatMatcher),
    target_matchers: rule.target.map(formatMatcher),
    equal: rule.equal,
  });
}

function receiverBlock(receiver: ReceiverConfig): Plain {
  const blocks: Record<string, Plain[]> = {};
  for (const integration of receiver.integrations) {
    const key = `${integration.kind}_configs`;
    blocks[key] = [...(blocks[key] ?? []), integrationBlock(integration)];
  }
  return withoutEmpty({ name: receiver.name, labels: receiver.labels, ...blocks });
}

function integrationBlock(config: IntegrationConfig): Plain {
  const shared = { send_resolved: config.sendResolved, http_config: httpBlock(config.http) };
  return withoutEmpty({ ...shared, ...settingsBlock(config.settings) });
}

/** Keys of settings that hold times, in ms. */
const GO_DURATIONS = ['timeout', 'retry', 'expire', 'ttl'];
const DURATIONS = ['reopen_duration'];

function settingsBlock(settings: Readonly<Plain>): Plain {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, settingValue(key, value)]),
  );
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
    Object.entries(value).map(([key, item]) => [key, isNode(item) ? plainNode(item) : item]),
  );
}

function isNode(value: unknown): value is ConfigNode {
  return typeof value === 'object' && value !== null && 'kind' in value && 'place' in value;
}

function httpBlock(config: ClientConfig | null): Plain | null {
  return config === null ? null : withoutEmpty(config);
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
  return withoutEmpty(value as Plain);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  if (value instanceof Secret) return value.reveal() === '';
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
