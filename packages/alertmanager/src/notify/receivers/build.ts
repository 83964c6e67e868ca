import { unreachable } from '@pollux/base';
import type { AlertmanagerConfig } from '../../config/config.ts';
import { resolvePath } from '../../config/config.ts';
import type { IntegrationConfig } from '../../config/receiver-config.ts';
import type { Integration } from '../integration.ts';
import type { BuildOptions } from './build-options.ts';
import { dingtalk } from './dingtalk/dingtalk.ts';
import { webhook } from './webhook/webhook.ts';

/** Integrations by receiver name, for the receivers that the routing tree uses. */
export function buildReceivers(
  config: AlertmanagerConfig,
  used: ReadonlySet<string>,
  options: Omit<BuildOptions, 'receiver' | 'globalHttp' | 'resolvePath'>,
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
        globalHttp: config.global.http_config,
        resolvePath: (path) => resolvePath(config.directory, path),
      });
    });
    built.set(name, ways);
  }
  return built;
}

function build(config: IntegrationConfig, options: BuildOptions): Integration {
  switch (config.kind) {
    case 'webhook':
      return webhook(config, options);
    case 'dingtalk':
      return dingtalk(config, options);
    default:
      return unreachable(config, 'integration');
  }
}
