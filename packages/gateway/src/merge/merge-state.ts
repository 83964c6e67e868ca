import type {
  AlertDiscovery,
  RuleDiscovery,
  TargetDiscovery,
  WireAlert,
  WireMetadata,
  WireRuleGroup,
  WireTarget,
} from '@pollux/api-types';
import { Labels } from '@pollux/model';

type WireRule = WireRuleGroup['rules'][number];

/** What any replica knows of each metric; of the limits 0 is none. */
export function mergeMetadata(
  all: readonly WireMetadata[],
  limits: { readonly names: number; readonly perName: number },
): WireMetadata {
  const found = new Map<string, Map<string, WireMetadata[string][number]>>();
  for (const one of all) {
    for (const [name, entries] of Object.entries(one)) {
      const known = found.get(name) ?? new Map<string, WireMetadata[string][number]>();
      found.set(name, known);
      for (const entry of entries) {
        known.set(JSON.stringify([entry.type, entry.unit, entry.help]), entry);
      }
    }
  }
  const names = [...found.keys()].sort();
  return Object.fromEntries(
    firstOf(names, limits.names).map((name) => {
      const entries = [...(found.get(name)?.values() ?? [])];
      return [name, firstOf(entries, limits.perName)];
    }),
  );
}

function firstOf<T>(all: readonly T[], limit: number): readonly T[] {
  return limit > 0 ? all.slice(0, limit) : all;
}

/** Rows of any answer, each once. */
export function mergeRows(lists: readonly (readonly unknown[])[]): unknown[] {
  const found = new Map<string, unknown>();
  for (const row of lists.flat()) found.set(JSON.stringify(row), row);
  return [...found.values()];
}

/** Answers about targets, rules and alerts whose labels are without those that tell replicas apart. */
export function withoutReplicaLabels<T>(
  answers: readonly T[],
  names: readonly string[],
): readonly T[] {
  if (names.length === 0) return answers;
  const revive = (key: string, value: unknown): unknown => {
    const hasLabels = key === 'labels' || key === 'discoveredLabels';
    if (!hasLabels || typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
  };
  return JSON.parse(JSON.stringify(answers), revive);
}

/** Older servers give no counts. */
type AnyTargets = Omit<TargetDiscovery, 'droppedTargetCounts'> & Partial<TargetDiscovery>;

/**
 * A target as the replica sees it that reaches it: where one link is broken the other replica's success counts, as in queries. Among
 * equals the latest scrape is shown.
 */
export function mergeTargets(all: readonly AnyTargets[]): AnyTargets {
  const active = new Map<string, WireTarget>();
  const dropped = new Map<string, TargetDiscovery['droppedTargets'][number]>();
  const counts: Record<string, number> = {};
  for (const one of all) {
    for (const target of one.activeTargets ?? []) {
      const key = `${target.scrapePool}\n${target.scrapeUrl}\n${Labels.from(target.labels).key()}`;
      const known = active.get(key);
      if (known === undefined || isBetter(target, known)) active.set(key, target);
    }
    for (const target of one.droppedTargets ?? []) {
      const labels = Labels.from(target.discoveredLabels).key();
      dropped.set(`${target.scrapePool}\n${labels}`, target);
    }
    for (const [pool, count] of Object.entries(one.droppedTargetCounts ?? {})) {
      counts[pool] = Math.max(counts[pool] ?? 0, count);
    }
  }
  return {
    activeTargets: [...active.values()],
    droppedTargets: [...dropped.values()],
    ...(all.some(({ droppedTargetCounts }) => droppedTargetCounts !== undefined)
      ? { droppedTargetCounts: counts }
      : {}),
  };
}

const HEALTH = { unknown: 0, down: 1, up: 2 } as const;

function isBetter(target: WireTarget, known: WireTarget): boolean {
  const difference = HEALTH[target.health] - HEALTH[known.health];
  return difference === 0 ? isLater(target.lastScrape, known.lastScrape) : difference > 0;
}

/** Every alert that a replica has, as the alertmanagers are told by all of them; the one that is further on counts. */
export function mergeAlerts(all: readonly AlertDiscovery[]): AlertDiscovery {
  return { alerts: furthestAlerts(all.map(({ alerts }) => alerts)) };
}

/** Groups of any answer. The later evaluation of a group is shown, with every alert that a replica has for its rules. */
export function mergeRules(all: readonly RuleDiscovery[]): RuleDiscovery {
  const found = new Map<string, WireRuleGroup[]>();
  for (const group of all.flatMap(({ groups }) => groups)) {
    const key = `${group.file}\n${group.name}`;
    found.set(key, [...(found.get(key) ?? []), group]);
  }
  const token = all.find(({ groupNextToken }) => groupNextToken !== undefined)?.groupNextToken;
  return {
    groups: [...found.values()].map(joinGroups),
    ...(token === undefined ? {} : { groupNextToken: token }),
  };
}

function joinGroups(groups: readonly WireRuleGroup[]): WireRuleGroup {
  const [latest, ...others] = [...groups].sort((a, b) =>
    isLater(a.lastEvaluation, b.lastEvaluation) ? -1 : 1,
  );
  if (latest === undefined || others.length === 0) return latest!;
  const rules = latest.rules.map((rule, index) => {
    if (rule.type !== 'alerting') return rule;
    const twins = others.flatMap((group) => twinOf(group, rule, index) ?? []);
    const lists = [rule, ...twins].flatMap((twin) =>
      twin.type === 'alerting' ? [twin.alerts ?? []] : [],
    );
    const alerts = furthestAlerts(lists);
    const states = alerts.map(({ state }) => state);
    const state = states.includes('firing')
      ? 'firing'
      : states.includes('pending')
        ? 'pending'
        : null;
    return { ...rule, alerts, state: state ?? rule.state };
  });
  return { ...latest, rules };
}

/** The same rule in another replica's group: at the same place, unless the files differ just now. */
function twinOf(group: WireRuleGroup, rule: WireRule, index: number): WireRule | undefined {
  const isSame = (other: WireRule | undefined): boolean =>
    other !== undefined && other.name === rule.name && other.query === rule.query;
  const there = group.rules[index];
  return isSame(there) ? there : group.rules.find(isSame);
}

function furthestAlerts(lists: readonly (readonly WireAlert[])[]): WireAlert[] {
  const found = new Map<string, WireAlert>();
  for (const alert of lists.flat()) {
    const key = Labels.from(alert.labels).key();
    const known = found.get(key);
    if (known === undefined || isFurther(alert, known)) found.set(key, alert);
  }
  return [...found.values()];
}

/** Firing before pending, then whatever has lasted longer: a replica that was restarted begins anew. */
function isFurther(alert: WireAlert, known: WireAlert): boolean {
  if (alert.state !== known.state) return alert.state === 'firing';
  return isLater(known.activeAt ?? '', alert.activeAt ?? '');
}

function isLater(a: string, b: string): boolean {
  return (Date.parse(a) || 0) > (Date.parse(b) || 0);
}
