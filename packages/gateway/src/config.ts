import {
  byteSize,
  type ConfigNode,
  type Decoded,
  entryOf,
  list,
  nonEmptyString,
  nullable,
  object,
  optional,
  parsed,
  parseYaml,
  refuse,
  required,
  strictContext,
} from '@pollux/config';
import { parseDuration } from '@pollux/model';
import { groupConfig } from './balance/group-config.ts';
import { errorLogConfig, hostConfig, listenerConfig, logConfig } from './door/host-config.ts';
import { DEFAULT_FRONT, frontConfig } from './front/front-config.ts';
import { longTermConfig } from './long-term/long-term-config.ts';
import { checkShards } from './shards/shards-config.ts';
import { DEFAULT_SPOOL, spoolConfig } from './write/spool-config.ts';

export type { GroupConfig, GroupKind } from './balance/group-config.ts';

const fields = {
  groups: required(list(groupConfig)),
  /** Groups of servers that hold different targets, answered as one server. */
  shards: optional(list(nonEmptyString), []),
  /** A silent member is out after at most this long. */
  health_interval: optional(parsed(parseDuration), 1_000),
  /** As the servers' `--query.lookback-delta`; plans need it. */
  lookback_delta: optional(parsed(parseDuration), 300_000),
  /** For one query to a member; its own `timeout` may shorten it. */
  request_timeout: optional(parsed(parseDuration), 120_000),
  /** So far back the gaps of a plain Prometheus are told from its samples; 0: not at all. */
  plain_lookback: optional(parsed(parseDuration), 86_400_000),
  /** Samples that no server has are read from the group of stores. */
  long_term: optional(nullable(longTermConfig), null),
  /** At least the difference of the servers' clocks; where samples of one follow those of another, so much time is left out. */
  seam_guard: optional(parsed(parseDuration), 5_000),
  /** Of one query over samples of several servers; they are held here. */
  max_splice_memory: optional(byteSize, 1024 * 1024 * 1024),
  /** Bodies of all requests that are passed on at the same time. */
  max_buffered_bodies: optional(byteSize, 256 * 1024 * 1024),
  /** Who may ask how much at once, and what is kept of answers. */
  queries: optional(frontConfig, DEFAULT_FRONT),
  /** Writes that members have still to get. */
  spool: optional(spoolConfig, DEFAULT_SPOOL),
  /** Labels that tell replicas apart; answers come without them. */
  replica_labels: optional(list(nonEmptyString), []),
  /** Besides `--web.listen-address`. */
  listeners: optional(list(listenerConfig), []),
  /** Tried by the name that a request is for; what none of them takes goes to the pair's own routes. */
  hosts: optional(list(hostConfig), []),
  access_log: optional(nullable(logConfig), null),
  error_log: optional(nullable(errorLogConfig), null),
};
const gatewayFields = object(fields);

export type GatewayConfig = Decoded<typeof fields>;

/** Reads gateway.yml; throws ConfigError with place and remedy. */
export function parseGatewayConfig(text: string, file: string): GatewayConfig {
  return decodeGatewayConfig(parseYaml(text, file));
}

function decodeGatewayConfig(node: ConfigNode): GatewayConfig {
  const config = gatewayFields(node, '', strictContext());
  checkGroups(config, entryOf(node, 'groups') ?? node);
  checkShards(config, node);
  checkHosts(config, entryOf(node, 'hosts') ?? node);
  if (config.long_term !== null && !config.groups.some(({ kind }) => kind === 'store')) {
    refuse(entryOf(node, 'long_term') ?? node, 'long_term', 'needs a group of kind "store"');
  }
  if (config.health_interval < 100) {
    refuse(entryOf(node, 'health_interval') ?? node, 'health_interval', 'must be at least 100ms');
  }
  return config;
}

function checkGroups({ groups, shards }: GatewayConfig, node: ConfigNode): void {
  const memberNames = new Set<string>();
  const groupNames = new Set<string>();
  const kinds = new Set<string>();
  for (const [index, { name, kind, members }] of groups.entries()) {
    const at = node.kind === 'list' ? (node.items[index] ?? node) : node;
    if (groupNames.has(name)) refuse(at, `groups[${index}].name`, `"${name}" is used twice`);
    groupNames.add(name);
    const maySeveral = kind === 'http' || (kind === 'server' && shards.length > 0);
    if (!maySeveral && kinds.has(kind)) {
      const remedy =
        kind === 'server' ? '; name them in shards if they hold different targets' : '';
      refuse(at, `groups[${index}].kind`, `more than one group of kind "${kind}"${remedy}`);
    }
    kinds.add(kind);
    for (const { name: memberName } of members) {
      if (memberNames.has(memberName)) {
        refuse(at, `groups[${index}].members`, `member name "${memberName}" is used twice`);
      }
      memberNames.add(memberName);
    }
  }
  if (groups.length === 0) refuse(node, 'groups', 'needs at least one group');
}

function checkHosts({ groups, hosts }: GatewayConfig, node: ConfigNode): void {
  const names = new Set<string>();
  for (const [index, { server_names, locations }] of hosts.entries()) {
    const at = node.kind === 'list' ? (node.items[index] ?? node) : node;
    for (const name of server_names) {
      if (names.has(name)) refuse(at, `hosts[${index}].server_names`, `"${name}" is used twice`);
      names.add(name);
    }
    for (const { path, group } of locations) {
      if (!path.startsWith('/')) {
        refuse(at, `hosts[${index}].locations`, `path "${path}" must begin with "/"`);
      }
      if (group !== '' && !groups.some(({ name }) => name === group)) {
        refuse(at, `hosts[${index}].locations`, `there is no group "${group}"`);
      }
    }
  }
}
