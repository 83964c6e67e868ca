import {
  type ConfigNode,
  type Decoder,
  list,
  object,
  oneOf,
  optional,
  parsed,
  raw,
  refuse,
  string,
} from '@pollux/config';
import { discoveryFields, type ProviderSpec, providersOf } from '@pollux/discovery';
import { checkHttpConfig, type HttpConfig, httpConfigFields } from '@pollux/http';
import { parseDuration, type RelabelStep } from '@pollux/model';
import { type NameValidation, relabelConfigs } from '@pollux/relabel-config';

/** One entry of `alerting.alertmanagers`. */
export type AlertmanagersConfig = {
  readonly scheme: 'http' | 'https';
  /** Before `/api/v2/alerts`. */
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  readonly client: HttpConfig;
  /** Over the labels of discovered alertmanagers. */
  readonly relabel: readonly RelabelStep[];
  /** Over the labels of alerts for these alertmanagers, after the global steps. */
  readonly alertRelabel: readonly RelabelStep[];
  readonly providers: readonly ProviderSpec[];
};

/** The `alerting:` block. */
export type AlertingConfig = {
  readonly alertRelabel: readonly RelabelStep[];
  readonly alertmanagers: readonly AlertmanagersConfig[];
};

export const NO_ALERTING: AlertingConfig = { alertRelabel: [], alertmanagers: [] };

const DEFAULT_TIMEOUT_MS = 10_000;

/** Reads the `alerting:` block of prometheus.yml. */
export function alertingConfig(validation: NameValidation = 'utf8'): Decoder<AlertingConfig> {
  const block = object({
    alert_relabel_configs: optional(relabelConfigs(validation), []),
    alertmanagers: optional(list(alertmanagersConfig(validation)), []),
  });
  return (node, path, context) => {
    const decoded = block(node, path, context);
    return {
      alertRelabel: decoded.alert_relabel_configs,
      alertmanagers: decoded.alertmanagers,
    };
  };
}

function alertmanagersConfig(validation: NameValidation): Decoder<AlertmanagersConfig> {
  const entry = object({
    scheme: optional(oneOf('http', 'https'), 'http'),
    path_prefix: optional(string, ''),
    timeout: optional(parsed(parseDuration), DEFAULT_TIMEOUT_MS),
    api_version: optional(apiVersion, 'v2'),
    relabel_configs: optional(relabelConfigs(validation), []),
    alert_relabel_configs: optional(relabelConfigs(validation), []),
    sigv4: optional(notServed('sigv4'), null),
    ...discoveryFields,
    ...httpConfigFields,
  });
  return (node, path, context) => {
    if (node.kind === 'null') refuse(node, path, 'empty or null alertmanager config');
    const decoded = entry(node, path, context);
    checkHttpConfig(node, path, decoded);
    return {
      scheme: decoded.scheme,
      pathPrefix: decoded.path_prefix,
      timeoutMs: decoded.timeout,
      client: decoded,
      relabel: decoded.relabel_configs,
      alertRelabel: decoded.alert_relabel_configs,
      providers: providersOf(decoded),
    };
  };
}

const apiVersion: Decoder<string> = (node, path, context) => {
  const version = string(node, path, context);
  if (version !== 'v2') {
    refuse(node, path, `expected Alertmanager api version to be one of [v2] but got ${version}`);
  }
  return version;
};

function notServed(name: string): Decoder<null> {
  return (node: ConfigNode, path, context) => {
    raw(node, path, context);
    return refuse(node, path, `${name} is not supported yet; remove it`);
  };
}
