import { compareText, type Labels, type LabelValues, type Matcher, quoteText } from '@pollux/model';
import type { RouteConfig } from '../config/route-config.ts';
import { formatMatchers } from '../matcher/format.ts';

const DEFAULT_GROUP_WAIT_MS = 30_000;
const DEFAULT_GROUP_INTERVAL_MS = 300_000;
const DEFAULT_REPEAT_INTERVAL_MS = 14_400_000;

/** What a node says about the groups below it, inheritance applied. */
export type RouteSettings = {
  readonly receiver: string;
  readonly groupBy: ReadonlySet<string>;
  readonly groupByAll: boolean;
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  /** Values are templates. */
  readonly labels: Readonly<Record<string, string>>;
};

/** One node of the routing tree. */
export class Route {
  readonly settings: RouteSettings;
  /** The matchers from the root to this node, as the notification log of every member spells them. */
  readonly key: string;
  readonly children: readonly Route[];
  /** Null for the root. */
  readonly parent: Route | null;
  /** Of this node alone. */
  readonly matchers: readonly Matcher[];
  /** Whether siblings after this node are looked at when it matched. */
  readonly continues: boolean;
  /** Those to group by, sorted as labels are. */
  readonly #groupNames: readonly string[];

  constructor(config: RouteConfig, parent: Route | null = null) {
    this.settings = inherit(config, parent?.settings ?? null);
    this.#groupNames = [...this.settings.groupBy].sort(compareText);
    this.parent = parent;
    this.matchers = config.matchers;
    this.continues = config.continues;
    const own = formatMatchers(config.matchers);
    this.key = parent === null ? own : `${parent.key}/${own}`;
    this.children = config.routes.map((child) => new Route(child, this));
  }

  /** The nodes an alert goes to: depth first, the first matching child wins unless it continues. */
  match(labels: LabelValues): readonly Route[] {
    if (!this.matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))) return [];
    const found: Route[] = [];
    for (const child of this.children) {
      const matches = child.match(labels);
      found.push(...matches);
      if (matches.length > 0 && !child.continues) break;
    }
    return found.length > 0 ? found : [this];
  }

  /** The labels that decide the group of an alert. */
  groupLabels(labels: Labels): Labels {
    return this.settings.groupByAll ? labels : labels.keep(this.settings.groupBy);
  }

  /** The key of {@link groupLabels}, without making these: each new alert asks for it. */
  groupLabelsKey(labels: LabelValues & { key(): string }): string {
    if (this.settings.groupByAll) return labels.key();
    let key = '';
    for (const name of this.#groupNames) {
      const value = labels.get(name);
      if (value === '') continue;
      const pair = `${name}\ud800${value}`;
      key = key === '' ? pair : `${key}\ud800${pair}`;
    }
    return key;
  }

  /** This node and all below it. */
  *walk(): IterableIterator<Route> {
    yield this;
    for (const child of this.children) yield* child.walk();
  }
}

function inherit(config: RouteConfig, parent: RouteSettings | null): RouteSettings {
  const groupsItself = config.groupBy !== null;
  return {
    receiver: config.receiver === '' ? (parent?.receiver ?? '') : config.receiver,
    groupBy: groupsItself ? new Set(config.groupBy) : (parent?.groupBy ?? new Set()),
    groupByAll: groupsItself ? config.groupByAll : (parent?.groupByAll ?? false),
    groupWaitMs: config.groupWaitMs ?? parent?.groupWaitMs ?? DEFAULT_GROUP_WAIT_MS,
    groupIntervalMs: config.groupIntervalMs ?? parent?.groupIntervalMs ?? DEFAULT_GROUP_INTERVAL_MS,
    repeatIntervalMs:
      config.repeatIntervalMs ?? parent?.repeatIntervalMs ?? DEFAULT_REPEAT_INTERVAL_MS,
    muteTimeIntervals: config.muteTimeIntervals,
    activeTimeIntervals: config.activeTimeIntervals,
    labels: { ...parent?.labels, ...config.labels },
  };
}

/** The key of a group in the notification log and in webhook messages. */
export function groupKey(route: Route, groupLabels: Labels): string {
  return `${route.key}:${groupLabels.toString()}`;
}

/**
 * The spellings under which members may have logged the group: ours (names sorted, as from 0.28 on) and, where it differs,
 * that of members up to 0.27, which sort the written `name="value"` pairs.
 */
export function groupKeySpellings(route: Route, groupLabels: Labels): readonly string[] {
  const own = groupKey(route, groupLabels);
  const pairs = [...groupLabels].map(([name, value]) => `${name}=${quoteText(value)}`);
  const old = `${route.key}:{${pairs.sort(compareText).join(', ')}}`;
  return old === own ? [own] : [own, old];
}
