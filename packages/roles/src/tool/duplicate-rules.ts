import { compareText } from '@pollux/model';
import type { GroupSpec } from '@pollux/rules';

export type RuleKey = {
  readonly name: string;
  /** Sorted by name. */
  readonly labels: readonly (readonly [string, string])[];
};

/** Rules that write the same series as another one: same name, same labels. Sorted; each once. */
export function duplicateRules(groups: readonly GroupSpec[]): readonly RuleKey[] {
  const seen = new Set<string>();
  const duplicates = new Map<string, RuleKey>();
  for (const { rules } of groups) {
    for (const { name, labels } of rules) {
      const sorted = Object.entries(labels).sort(([a], [b]) => compareText(a, b));
      const key = JSON.stringify([name, sorted]);
      if (seen.has(key)) duplicates.set(key, { name, labels: sorted });
      seen.add(key);
    }
  }
  return [...duplicates.entries()].sort(([a], [b]) => compareText(a, b)).map(([, rule]) => rule);
}
