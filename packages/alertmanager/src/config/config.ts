import {
  type ConfigNode,
  type DecodeContext,
  list,
  nonEmptyString,
  nullable,
  object,
  optional,
  parseYaml,
  raw,
  refuse,
  strictContext,
} from '@pollux/config';
import type { MatcherMode } from '../matcher/parse.ts';
import { type EventRecorderConfig, eventRecorderConfig } from './event-recorder-config.ts';
import { decodeGlobal, type GlobalConfig } from './global-config.ts';
import { type InhibitRuleConfig, inhibitRuleDecoder } from './inhibit-config.ts';
import { type IntegrationConfig, type ReceiverConfig, receiverConfig } from './receiver-config.ts';
import { type Fallback, readReceiversBeside } from './receivers-beside.ts';
import { checkRouteTree, type RouteConfig, routeDecoder } from './route-config.ts';
import { type NamedTimeInterval, timeIntervalList } from './time-interval-config.ts';
import { type TracingConfig, tracingConfig } from './tracing-config.ts';

/** A whole alertmanager.yml, checked. */
export type AlertmanagerConfig = {
  /** The text it was read from; its hash is a metric. */
  readonly text: string;
  /** Where relative paths of templates and http_config files start. */
  readonly directory: string;
  readonly global: GlobalConfig;
  readonly route: RouteConfig;
  readonly inhibitRules: readonly InhibitRuleConfig[];
  readonly receivers: readonly ReceiverConfig[];
  /** Those integrations that stand in the file beside; the status page does not show them. */
  readonly beside: ReadonlySet<IntegrationConfig>;
  /** From the file beside, by the name of the receiver that has one. */
  readonly fallbacks: ReadonlyMap<string, Fallback>;
  readonly timeIntervals: readonly NamedTimeInterval[];
  /** Globs. */
  readonly templates: readonly string[];
  readonly tracing: TracingConfig | null;
  readonly eventRecorder: EventRecorderConfig | null;
  /** `place: text`. */
  readonly warnings: readonly string[];
};

export type ReadConfigOptions = {
  /** How messages name the file, and what relative paths start from. */
  readonly file: string;
  readonly matcherMode?: MatcherMode;
  /** The file of receivers that the Go Alertmanager does not know, if there is one. */
  readonly beside?: { readonly text: string; readonly file: string } | null;
};

const NOTHING_BESIDE = { receivers: [], fallbacks: new Map<string, Fallback>() } as const;

/** Reads alertmanager.yml. Throws ConfigError with file, line and column; nothing is half accepted. */
export function readConfig(text: string, options: ReadConfigOptions): AlertmanagerConfig {
  const mode = options.matcherMode ?? 'fallback';
  const root = parseYaml(text, options.file);
  if (text.trim() === '') refuse(root, '', 'no route provided in config');
  const context = strictContext();
  const read = object({
    global: optional(nullable(raw), null),
    route: optional(nullable(routeDecoder(mode)), null),
    inhibit_rules: optional(list(inhibitRuleDecoder(mode)), []),
    receivers: optional(nullable(raw), null),
    templates: optional(list(nonEmptyString), []),
    mute_time_intervals: optional(timeIntervalList(true), []),
    time_intervals: optional(timeIntervalList(false), []),
    tracing: optional(nullable(tracingConfig), null),
    event_recorder: optional(nullable(eventRecorderConfig), null),
  })(root, '', context);
  const global = globalOf(read.global, root, context);
  const written =
    read.receivers === null
      ? []
      : list(receiverConfig(global))(read.receivers, 'receivers', context);
  checkReceiverLabels(root, written);
  const { beside = null } = options;
  const { receivers: added, fallbacks } =
    beside === null ? NOTHING_BESIDE : readReceiversBeside(beside, global, written);
  const receivers = written.map((receiver) => ({
    ...receiver,
    integrations: [
      ...receiver.integrations,
      ...(added.find(({ name }) => name === receiver.name)?.integrations ?? []),
    ],
  }));
  if (read.route === null) refuse(root, '', 'no routes provided');
  const timeIntervals = [...read.mute_time_intervals, ...read.time_intervals];
  checkRouteTree(read.route, {
    receivers: uniqueNames(root, 'receivers', 'notification config name', written),
    timeIntervals: uniqueIntervals(root, timeIntervals),
  });
  if (read.mute_time_intervals.length > 0) {
    context.warnings.push(`${options.file}: mute_time_intervals is deprecated; use time_intervals`);
  }
  return {
    text: beside === null ? text : `${text}\n${beside.text}`,
    directory: directoryOf(options.file),
    global,
    route: read.route,
    inhibitRules: read.inhibit_rules,
    receivers,
    fallbacks,
    beside: new Set(added.flatMap(({ integrations }) => integrations)),
    timeIntervals,
    templates: read.templates,
    tracing: read.tracing,
    eventRecorder: read.event_recorder,
    warnings: context.warnings,
  };
}

function globalOf(node: ConfigNode | null, root: ConfigNode, context: DecodeContext): GlobalConfig {
  const nothing: ConfigNode = { kind: 'null', place: root.place };
  return decodeGlobal(node ?? nothing, 'global', context);
}

/** The label `name` is the receiver's name and may be written only as that. */
function checkReceiverLabels(root: ConfigNode, receivers: readonly ReceiverConfig[]): void {
  for (const { name, labels } of receivers) {
    const given = Object.hasOwn(labels, 'name') ? labels.name : name;
    if (given === name) continue;
    const message = `receiver label "name" must match receiver name "${name}", got "${given}"`;
    refuse(root, 'receivers', message);
  }
}

/** The deprecated list is read first, so that a name of both is refused where it comes again. */
function uniqueIntervals(
  root: ConfigNode,
  intervals: readonly NamedTimeInterval[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name, isDeprecated } of intervals) {
    const list = isDeprecated ? 'mute_time_intervals' : 'time_intervals';
    if (names.has(name)) {
      refuse(root, list, `${isDeprecated ? 'mute ' : ''}time interval "${name}" is not unique`);
    }
    names.add(name);
  }
  return names;
}

function uniqueNames(
  root: ConfigNode,
  path: string,
  what: string,
  items: readonly { readonly name: string }[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name } of items) {
    if (names.has(name)) refuse(root, path, `${what} "${name}" is not unique`);
    names.add(name);
  }
  return names;
}

function directoryOf(file: string): string {
  const at = file.lastIndexOf('/');
  return at < 0 ? '.' : at === 0 ? '/' : file.slice(0, at);
}

/** A path of the configuration, relative ones taken from the file's directory. */
export function resolvePath(directory: string, path: string): string {
  return path.startsWith('/') ? path : `${directory}/${path}`;
}
