import {
  boolean,
  type Decoder,
  list,
  nonEmptyString,
  nonNegativeInteger,
  object,
  optional,
  record,
  refuse,
  required,
  string,
} from '@pollux/config';
import { checkHttpConfig, type HttpConfig, httpConfigFields } from '@pollux/http';
import { Matcher } from '@pollux/model';
import {
  checkHeaders,
  checkUrl,
  duration,
  lowerCaseNames,
  nameOf,
  refuseUnsupported,
  unsupportedFields,
} from '../write/config.ts';

/** One entry of `remote_read:`. */
export type RemoteReadConfig = {
  readonly url: string;
  /** As configured, else six hex digits from the URL. */
  readonly name: string;
  readonly remoteTimeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The endpoint is only asked when the selector has each of these as an equality matcher. */
  readonly requiredMatchers: readonly Matcher[];
  /** Ask also for the time that local storage has completely. */
  readonly readRecent: boolean;
  readonly filterExternalLabels: boolean;
  readonly client: HttpConfig;
};

const readFields = object({
  url: required(nonEmptyString),
  name: optional(string, ''),
  remote_timeout: optional(duration, 60_000),
  chunked_read_limit: optional(nonNegativeInteger, 50_000_000),
  headers: optional(record(string), {}),
  required_matchers: optional(record(string), {}),
  read_recent: optional(boolean, false),
  filter_external_labels: optional(boolean, true),
  ...httpConfigFields,
  ...unsupportedFields,
});

/** Throws ConfigError or NotSupportedError with the place. */
export const remoteReadConfig: Decoder<RemoteReadConfig> = (node, path, context) => {
  const config = readFields(node, path, context);
  checkHttpConfig(node, path, config);
  refuseUnsupported(node, path);
  checkUrl(node, path, config.url);
  checkHeaders(node, path, config.headers);
  return {
    url: config.url,
    name: config.name === '' ? nameOf(config.url) : config.name,
    remoteTimeoutMs: config.remote_timeout,
    headers: lowerCaseNames(config.headers),
    requiredMatchers: Object.entries(config.required_matchers).map(
      ([name, value]) => new Matcher(name, '=', value),
    ),
    readRecent: config.read_recent,
    filterExternalLabels: config.filter_external_labels,
    client: config,
  };
};

/** The whole `remote_read:` list. */
export const remoteReadConfigs: Decoder<readonly RemoteReadConfig[]> = (node, path, context) => {
  const configs = list(remoteReadConfig)(node, path, context);
  const seen = new Set<string>();
  for (const [index, { name }] of configs.entries()) {
    if (seen.has(name)) {
      refuse(
        node.kind === 'list' ? (node.items[index] ?? node) : node,
        `${path}[${index}]`,
        `found multiple remote read configs with job name "${name}"; give each a name of its own`,
      );
    }
    seen.add(name);
  }
  return configs;
};
