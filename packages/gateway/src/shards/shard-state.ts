import type { RuleDiscovery, TargetDiscovery, WireRuleGroup } from '@pollux/api-types';
import { Labels } from '@pollux/model';
import { mergeRules, mergeTargets } from '../merge/merge-state.ts';

/** Older servers give no counts. */
type AnyTargets = Omit<TargetDiscovery, 'droppedTargetCounts'> & Partial<TargetDiscovery>;

/**
 * Targets of all shards. Each drops those of the others: one that any shard scrapes is not shown as dropped, and the counts are those of
 * targets that nobody scrapes.
 */
export function targetsOfShards(all: readonly AnyTargets[]): AnyTargets {
  const joined = mergeTargets(all);
  const scraped = new Set(
    joined.activeTargets.map(({ scrapePool, discoveredLabels }) =>
      keyOf(scrapePool, discoveredLabels),
    ),
  );
  const counts: Record<string, number> = {};
  for (const pool of Object.keys(joined.droppedTargetCounts ?? {})) {
    const active = all.map(
      ({ activeTargets }) => activeTargets.filter(({ scrapePool }) => scrapePool === pool).length,
    );
    const total = active.reduce((sum, count) => sum + count, 0);
    const ofNobody = all.flatMap(({ droppedTargetCounts = {} }, index) => {
      const dropped = droppedTargetCounts[pool];
      return dropped === undefined ? [] : [dropped - (total - active[index]!)];
    });
    counts[pool] = Math.max(0, Math.min(...ofNobody));
  }
  return {
    ...joined,
    droppedTargets: joined.droppedTargets.filter(
      ({ scrapePool, discoveredLabels }) => !scraped.has(keyOf(scrapePool, discoveredLabels)),
    ),
    ...(joined.droppedTargetCounts === undefined ? {} : { droppedTargetCounts: counts }),
  };
}

function keyOf(pool: string, labels: Readonly<Record<string, string>>): string {
  return `${pool}\n${Labels.from(labels).key()}`;
}

/** Rule groups of all shards. One that several have, rule for rule, is shown once with all its alerts; others of one name stay apart. */
export function rulesOfShards(all: readonly RuleDiscovery[]): RuleDiscovery {
  const found = new Map<string, WireRuleGroup[]>();
  for (const group of all.flatMap(({ groups }) => groups)) {
    const rules = group.rules.map(({ type, name, query }) => [type, name, query]);
    const key = JSON.stringify([group.file, group.name, rules]);
    found.set(key, [...(found.get(key) ?? []), group]);
  }
  return {
    groups: [...found.values()].flatMap(
      (same) => mergeRules(same.map((group) => ({ groups: [group] }))).groups,
    ),
  };
}
