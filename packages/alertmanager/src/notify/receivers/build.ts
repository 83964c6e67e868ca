import { unreachable } from '@pollux/base';
import type { AlertmanagerConfig } from '../../config/config.ts';
import { resolvePath } from '../../config/config.ts';
import type { IntegrationConfig } from '../../config/receiver-config.ts';
import type { Integration } from '../integration.ts';
import type { BuildOptions } from './build-options.ts';
import { dingtalk } from './dingtalk/dingtalk.ts';
import { discord } from './discord/discord.ts';
import { email } from './email/email.ts';
import { feishu } from './feishu/feishu.ts';
import { incidentio } from './incidentio/incidentio.ts';
import { jira } from './jira/jira.ts';
import { mattermost } from './mattermost/mattermost.ts';
import { msteams } from './msteams/msteams.ts';
import { msteamsv2 } from './msteamsv2/msteamsv2.ts';
import { opsgenie } from './opsgenie/opsgenie.ts';
import { pagerduty } from './pagerduty/pagerduty.ts';
import { pushover } from './pushover/pushover.ts';
import { rocketchat } from './rocketchat/rocketchat.ts';
import { slack } from './slack/slack.ts';
import { sns } from './sns/sns.ts';
import { telegram } from './telegram/telegram.ts';
import { victorops } from './victorops/victorops.ts';
import { webex } from './webex/webex.ts';
import { webhook } from './webhook/webhook.ts';
import { wechat } from './wechat/wechat.ts';
import { wecom } from './wecom/wecom.ts';

/** Integrations by receiver name, for the receivers that the routing tree uses. */
export function buildReceivers(
  config: AlertmanagerConfig,
  used: ReadonlySet<string>,
  options: Omit<BuildOptions, 'receiver' | 'resolvePath'>,
): ReadonlyMap<string, readonly Integration[]> {
  const built = new Map<string, readonly Integration[]>();
  for (const { name, integrations } of config.receivers) {
    if (!used.has(name)) continue;
    const counts = new Map<string, number>();
    const ways = integrations.map((integration) => {
      const index = counts.get(integration.kind) ?? 0;
      counts.set(integration.kind, index + 1);
      return build(integration, {
        ...options,
        receiver: { groupName: name, integration: integration.kind, index },
        resolvePath: (path) => resolvePath(config.directory, path),
      });
    });
    built.set(name, ways);
  }
  return built;
}

function build(config: IntegrationConfig, options: BuildOptions): Integration {
  switch (config.kind) {
    case 'dingtalk':
      return dingtalk(config, options);
    case 'discord':
      return discord(config, options);
    case 'incidentio':
      return incidentio(config, options);
    case 'jira':
      return jira(config, options);
    case 'mattermost':
      return mattermost(config, options);
    case 'msteams':
      return msteams(config, options);
    case 'msteamsv2':
      return msteamsv2(config, options);
    case 'opsgenie':
      return opsgenie(config, options);
    case 'pagerduty':
      return pagerduty(config, options);
    case 'rocketchat':
      return rocketchat(config, options);
    case 'slack':
      return slack(config, options);
    case 'sns':
      return sns(config, options);
    case 'victorops':
      return victorops(config, options);
    case 'webex':
      return webex(config, options);
    case 'webhook':
      return webhook(config, options);
    case 'wechat':
      return wechat(config, options);
    case 'feishu':
      return feishu(config, options);
    case 'wecom':
      return wecom(config, options);
    case 'email':
      return email(config, options);
    case 'telegram':
      return telegram(config, options);
    case 'pushover':
      return pushover(config, options);
    default:
      return unreachable(config, 'integration');
  }
}
