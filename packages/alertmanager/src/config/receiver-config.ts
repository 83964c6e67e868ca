import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  entryOf,
  list,
  nonEmptyString,
  nullable,
  object,
  optional,
  parsed,
  raw,
  record,
  required,
  string,
} from '@pollux/config';
import { parseDuration } from '@pollux/model';
import { type DingtalkConfig, dingtalkConfig } from '../notify/receivers/dingtalk/config.ts';
import { type DiscordConfig, discordConfig } from '../notify/receivers/discord/config.ts';
import { type EmailConfig, emailConfig } from '../notify/receivers/email/config.ts';
import { type FeishuConfig, feishuConfig } from '../notify/receivers/feishu/config.ts';
import { type IncidentioConfig, incidentioConfig } from '../notify/receivers/incidentio/config.ts';
import { type JiraConfig, jiraConfig } from '../notify/receivers/jira/config.ts';
import { type MattermostConfig, mattermostConfig } from '../notify/receivers/mattermost/config.ts';
import { type MsteamsConfig, msteamsConfig } from '../notify/receivers/msteams/config.ts';
import { type Msteamsv2Config, msteamsv2Config } from '../notify/receivers/msteamsv2/config.ts';
import { type OpsgenieConfig, opsgenieConfig } from '../notify/receivers/opsgenie/config.ts';
import { type PagerdutyConfig, pagerdutyConfig } from '../notify/receivers/pagerduty/config.ts';
import { type PushoverConfig, pushoverConfig } from '../notify/receivers/pushover/config.ts';
import { type RocketchatConfig, rocketchatConfig } from '../notify/receivers/rocketchat/config.ts';
import { type SlackConfig, slackConfig } from '../notify/receivers/slack/config.ts';
import { type SnsConfig, snsConfig } from '../notify/receivers/sns/config.ts';
import { type TelegramConfig, telegramConfig } from '../notify/receivers/telegram/config.ts';
import { type VictoropsConfig, victoropsConfig } from '../notify/receivers/victorops/config.ts';
import { type WebexConfig, webexConfig } from '../notify/receivers/webex/config.ts';
import { type WebhookConfig, webhookConfig } from '../notify/receivers/webhook/config.ts';
import { type WechatConfig, wechatConfig } from '../notify/receivers/wechat/config.ts';
import { type WecomConfig, wecomConfig } from '../notify/receivers/wecom/config.ts';
import type { GlobalConfig } from './global-config.ts';

/** Each integration adds its configuration here, its decoder and its sender to a table. */
export type IntegrationConfig =
  | DingtalkConfig
  | DiscordConfig
  | EmailConfig
  | FeishuConfig
  | IncidentioConfig
  | JiraConfig
  | MattermostConfig
  | MsteamsConfig
  | Msteamsv2Config
  | OpsgenieConfig
  | PagerdutyConfig
  | PushoverConfig
  | RocketchatConfig
  | SlackConfig
  | SnsConfig
  | TelegramConfig
  | VictoropsConfig
  | WebexConfig
  | WebhookConfig
  | WechatConfig
  | WecomConfig;

export type ReceiverConfig = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly integrations: readonly IntegrationConfig[];
};

type Integrations = Readonly<Record<string, (global: GlobalConfig) => Decoder<IntegrationConfig>>>;

/** Key in the file and its decoder, in the order in which a receiver's integrations are built, which is upstream's. */
const UPSTREAM: Integrations = {
  webhook_configs: webhookConfig,
  email_configs: emailConfig,
  pagerduty_configs: pagerdutyConfig,
  opsgenie_configs: opsgenieConfig,
  wechat_configs: wechatConfig,
  slack_configs: slackConfig,
  victorops_configs: victoropsConfig,
  pushover_configs: pushoverConfig,
  sns_configs: snsConfig,
  telegram_configs: telegramConfig,
  discord_configs: discordConfig,
  webex_configs: webexConfig,
  msteams_configs: msteamsConfig,
  msteamsv2_configs: msteamsv2Config,
  jira_configs: jiraConfig,
  rocketchat_configs: rocketchatConfig,
  mattermost_configs: mattermostConfig,
  incidentio_configs: incidentioConfig,
};

/** Those that the Go Alertmanager does not know. */
const OWN: Integrations = {
  dingtalk_configs: dingtalkConfig,
  wecom_configs: wecomConfig,
  feishu_configs: feishuConfig,
};

const ALL: Integrations = { ...UPSTREAM, ...OWN };

/** Names of all integrations of the original, whose metrics are there from the start. */
export const UPSTREAM_KINDS: readonly string[] = Object.keys(UPSTREAM).map((key) =>
  key.replace('_configs', ''),
);

const receiverFields = {
  name: required(nonEmptyString),
  labels: optional(record(string), {}),
};

const keysOf = (integrations: Integrations) =>
  Object.fromEntries(
    Object.keys(integrations).map((key) => [key, optional<ConfigNode | null>(raw, null)]),
  );

const fields = object({ ...receiverFields, ...keysOf(ALL) });

/** A receiver; `global` gives what its integrations leave out. */
export const receiverConfig =
  (global: GlobalConfig): Decoder<ReceiverConfig> =>
  (node, path, context) => {
    const { name, labels } = fields(node, path, context);
    return { name, labels, integrations: integrationsOf(ALL, global, { node, path, context }) };
  };

const ownFields: Decoder<OwnFields> = object({
  ...receiverFields,
  ...keysOf(OWN),
  fallback: optional(nonEmptyString, ''),
  fallback_after: optional(nullable(parsed(parseDuration)), null),
});

type OwnFields = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly fallback: string;
  readonly fallback_after: number | null;
};

export type OwnReceiverConfig = ReceiverConfig & {
  /** Name of the receiver that gets what this one does not take; empty for none. */
  readonly fallback: string;
  /** Null when not given, ms. */
  readonly fallbackAfterMs: number | null;
};

/** A receiver of the file beside the main one: only what the Go Alertmanager would refuse there. */
export const ownReceiverConfig =
  (global: GlobalConfig): Decoder<OwnReceiverConfig> =>
  (node, path, context) => {
    const { name, labels, fallback, fallback_after } = ownFields(node, path, context);
    const integrations = integrationsOf(OWN, global, { node, path, context });
    return { name, labels, integrations, fallback, fallbackAfterMs: fallback_after };
  };

function integrationsOf(
  table: Integrations,
  global: GlobalConfig,
  at: { readonly node: ConfigNode; readonly path: string; readonly context: DecodeContext },
): IntegrationConfig[] {
  const integrations: IntegrationConfig[] = [];
  for (const [key, decoder] of Object.entries(table)) {
    const value = entryOf(at.node, key);
    if (value === null) continue;
    integrations.push(...list(decoder(global))(value, `${at.path}.${key}`, at.context));
  }
  return integrations;
}
