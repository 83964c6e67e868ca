import {
  boolean,
  type ConfigNode,
  type Decoder,
  list,
  nonEmptyString,
  nullable,
  object,
  optional,
  parsed,
  record,
  refuse,
  string,
} from '@pollux/config';
import { type Matcher, parseDuration } from '@pollux/model';
import type { MatcherMode } from '../matcher/parse.ts';
import type { WrittenSide } from './inhibit-config.ts';
import {
  equalMatchers,
  isLabelName,
  labelNameList,
  matcherList,
  NO_MATCHERS,
  patternMatchers,
} from './matchers-config.ts';

/** One node as written; null where the parent's value is inherited. */
export type RouteConfig = {
  readonly node: ConfigNode;
  readonly path: string;
  readonly receiver: string;
  /** Null inherits; an empty list overrides the parent's. */
  readonly groupBy: readonly string[] | null;
  readonly groupByAll: boolean;
  readonly matchers: readonly Matcher[];
  /** The deprecated maps and the list of matchers as written, for the re-marshalled configuration. */
  readonly written: WrittenSide;
  readonly continues: boolean;
  readonly groupWaitMs: number | null;
  readonly groupIntervalMs: number | null;
  readonly repeatIntervalMs: number | null;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  /** Values are templates. */
  readonly labels: Readonly<Record<string, string>>;
  readonly routes: readonly RouteConfig[];
};

/** Deeper trees are refused; each level costs a stack frame when matching. */
const MAX_DEPTH = 100;

export function routeDecoder(mode: MatcherMode, depth = 0): Decoder<RouteConfig> {
  const duration = optional(nullable(parsed(parseDuration)), null);
  const child: Decoder<RouteConfig> = (node, path, context) =>
    depth >= MAX_DEPTH
      ? refuse(node, path, `routes are nested deeper than ${MAX_DEPTH} levels`)
      : routeDecoder(mode, depth + 1)(node, path, context);
  const fields = object({
    receiver: optional(string, ''),
    group_by: optional(nullable(labelNameList(mode, 'group_by list')), null),
    match: optional(equalMatchers, NO_MATCHERS),
    match_re: optional(patternMatchers, NO_MATCHERS),
    matchers: optional(matcherList(mode), []),
    continue: optional(boolean, false),
    group_wait: duration,
    group_interval: duration,
    repeat_interval: duration,
    mute_time_intervals: optional(list(nonEmptyString), []),
    active_time_intervals: optional(list(nonEmptyString), []),
    labels: optional(record(string), {}),
    routes: optional(list(child), []),
  });
  return (node, path, context) => {
    const read = fields(node, path, context);
    return {
      node,
      path,
      receiver: read.receiver,
      ...grouping(node, path, read.group_by),
      matchers: [...read.match.matchers, ...read.match_re.matchers, ...read.matchers],
      written: {
        match: read.match.written,
        matchRe: read.match_re.written,
        matchers: read.matchers,
      },
      continues: read.continue,
      groupWaitMs: read.group_wait,
      groupIntervalMs: notZero(node, path, 'group_interval', read.group_interval),
      repeatIntervalMs: notZero(node, path, 'repeat_interval', read.repeat_interval),
      muteTimeIntervals: read.mute_time_intervals,
      activeTimeIntervals: read.active_time_intervals,
      labels: checkedLabels(node, path, read.labels, mode),
      routes: read.routes,
    };
  };
}

function checkedLabels(
  node: ConfigNode,
  path: string,
  labels: Readonly<Record<string, string>>,
  mode: MatcherMode,
): Readonly<Record<string, string>> {
  for (const name of Object.keys(labels)) {
    if (!isLabelName(name, mode)) {
      refuse(node, `${path}.labels`, `invalid label name "${name}" in route labels`);
    }
  }
  return labels;
}

function grouping(node: ConfigNode, path: string, groupBy: readonly string[] | null) {
  if (groupBy === null) return { groupBy: null, groupByAll: false };
  const groupByAll = groupBy.includes('...');
  if (groupByAll && groupBy.length > 1) {
    refuse(node, path, 'cannot have wildcard group_by (`...`) and other labels at the same time');
  }
  const seen = new Set<string>();
  for (const name of groupBy) {
    if (seen.has(name)) refuse(node, path, `duplicated label "${name}" in group_by`);
    seen.add(name);
  }
  return { groupBy: groupByAll ? [] : groupBy, groupByAll };
}

function notZero(
  node: ConfigNode,
  path: string,
  key: string,
  durationMs: number | null,
): number | null {
  if (durationMs === 0) refuse(node, path, `${key} cannot be zero`);
  return durationMs;
}

/** What holds between the root and the rest of the file. */
export type KnownNames = {
  readonly receivers: ReadonlySet<string>;
  readonly timeIntervals: ReadonlySet<string>;
};

/** Checks the root's own rules, then that every name used in the tree is defined. */
export function checkRouteTree(root: RouteConfig, known: KnownNames): void {
  if (root.receiver === '')
    refuse(root.node, root.path, 'root route must specify a default receiver');
  if (root.matchers.length > 0)
    refuse(root.node, root.path, 'root route must not have any matchers');
  if (root.muteTimeIntervals.length > 0) {
    refuse(root.node, root.path, 'root route must not have any mute time intervals');
  }
  if (root.activeTimeIntervals.length > 0) {
    refuse(root.node, root.path, 'root route must not have any active time intervals');
  }
  if (root.continues) refuse(root.node, root.path, 'cannot have continue in root route');
  checkNames(root, known);
}

function checkNames(route: RouteConfig, known: KnownNames): void {
  if (route.receiver !== '' && !known.receivers.has(route.receiver)) {
    refuse(route.node, route.path, `undefined receiver "${route.receiver}" used in route`);
  }
  for (const name of [...route.muteTimeIntervals, ...route.activeTimeIntervals]) {
    if (!known.timeIntervals.has(name)) {
      refuse(route.node, route.path, `undefined time interval "${name}" used in route`);
    }
  }
  for (const child of route.routes) checkNames(child, known);
}
