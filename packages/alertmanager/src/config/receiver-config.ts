import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  entryOf,
  list,
  nonEmptyString,
  object,
  optional,
  raw,
  record,
  refuse,
  required,
  string,
} from '@pollux/config';
import { type DingtalkConfig, dingtalkConfig } from '../notify/receivers/dingtalk/config.ts';
import { type WebhookConfig, webhookConfig } from '../notify/receivers/webhook/config.ts';

/** Each served integration adds its configuration here, its decoder and its sender to a table. */
export type IntegrationConfig = WebhookConfig | DingtalkConfig;

export type ReceiverConfig = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly integrations: readonly IntegrationConfig[];
};

/** Key in the file and its decoder, in the order in which a receiver's integrations are built. */
const SERVED: Readonly<Record<string, Decoder<IntegrationConfig>>> = {
  webhook_configs: webhookConfig,
  dingtalk_configs: dingtalkConfig,
};

/** Integrations of Alertmanager 0.34 that this program does not serve yet. */
const NOT_SERVED = [
  'discord_configs',
  'email_configs',
  'incidentio_configs',
  'jira_configs',
  'mattermost_configs',
  'msteams_configs',
  'msteamsv2_configs',
  'opsgenie_configs',
  'pagerduty_configs',
  'pushover_configs',
  'rocketchat_configs',
  'slack_configs',
  'sns_configs',
  'telegram_configs',
  'victorops_configs',
  'webex_configs',
  'wechat_configs',
] as const;

const lists = Object.fromEntries(
  [...Object.keys(SERVED), ...NOT_SERVED].map((key) => [
    key,
    optional<ConfigNode | null>(raw, null),
  ]),
);

const fields = object({
  name: required(nonEmptyString),
  labels: optional(record(string), {}),
  ...lists,
});

export const receiverConfig: Decoder<ReceiverConfig> = (node, path, context) => {
  const read = fields(node, path, context);
  for (const key of NOT_SERVED) {
    const value = entryOf(node, key);
    if (value === null || (value.kind === 'list' && value.items.length === 0)) continue;
    refuse(
      value,
      path,
      `receiver ${read.name}: ${key} is not supported yet; use webhook_configs or dingtalk_configs`,
    );
  }
  return {
    name: read.name,
    labels: read.labels,
    integrations: integrationsOf(node, path, context),
  };
};

function integrationsOf(
  node: ConfigNode,
  path: string,
  context: DecodeContext,
): IntegrationConfig[] {
  const integrations: IntegrationConfig[] = [];
  for (const [key, decoder] of Object.entries(SERVED)) {
    const value = entryOf(node, key);
    if (value !== null) integrations.push(...list(decoder)(value, `${path}.${key}`, context));
  }
  return integrations;
}
