import { InputError } from '@pollux/base';
import {
  type ConfigNode,
  checked,
  list,
  nonEmptyString,
  object,
  oneOf,
  optional,
  parsed,
  parseYaml,
  refuse,
  required,
  strictContext,
} from '@pollux/config';
import { parseDuration } from '@pollux/model';

const url = checked(nonEmptyString, (text) => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InputError('GATEWAY.BAD_URL', '', `"${text}" is no address; write http://host:port`);
  }
  return text.replace(/\/+$/, '');
});

const member = object({ name: required(nonEmptyString), url: required(url) });

const group = object({
  name: required(nonEmptyString),
  kind: required(oneOf('server', 'alertmanager', 'store')),
  members: required(list(member)),
});

const gatewayFields = object({
  groups: required(list(group)),
  /** A silent member is out after at most this long. */
  health_interval: optional(parsed(parseDuration), 1_000),
  /** As the servers' `--query.lookback-delta`; plans need it. */
  lookback_delta: optional(parsed(parseDuration), 300_000),
  /** For one request to a member; a query's own `timeout` may shorten it. */
  request_timeout: optional(parsed(parseDuration), 120_000),
});

export type GatewayConfig = ReturnType<typeof gatewayFields>;
export type GroupConfig = GatewayConfig['groups'][number];
export type GroupKind = GroupConfig['kind'];

/** Reads gateway.yml; throws ConfigError with place and remedy. */
export function parseGatewayConfig(text: string, file: string): GatewayConfig {
  return decodeGatewayConfig(parseYaml(text, file));
}

function decodeGatewayConfig(node: ConfigNode): GatewayConfig {
  const config = gatewayFields(node, '', strictContext());
  const names = new Set<string>();
  const kinds = new Set<GroupKind>();
  for (const { name, kind, members } of config.groups) {
    if (members.length === 0) refuse(node, `groups.${name}`, 'needs at least one member');
    if (kinds.has(kind)) refuse(node, 'groups', `more than one group of kind "${kind}"`);
    kinds.add(kind);
    for (const { name: memberName } of members) {
      if (names.has(memberName))
        refuse(node, `groups.${name}`, `member name "${memberName}" is used twice`);
      names.add(memberName);
    }
  }
  if (!kinds.has('server')) refuse(node, 'groups', 'needs a group of kind "server"');
  if (config.health_interval < 100) refuse(node, 'health_interval', 'must be at least 100ms');
  return config;
}
