import { mapSelects, type SelectNode } from '../map-selects.ts';
import { NO_HINT, type PlanNode, type SelectHint } from '../nodes.ts';

/**
 * Marks selectors that read the same samples, so that they are read once: storage is asked by the first that is evaluated,
 * and the others get what it kept. Each still counts its own samples and says its own remarks. What one looks for in
 * storage with a function's name the others may not, so that hints which differ are left out.
 */
export function mergeSelectors(root: PlanNode): PlanNode {
  if (!hasTwoSelectors(root)) return root;
  const groups = new Map<string, SelectNode[]>();
  mapSelects(root, (select) => {
    const key = keyOf(select);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [select]);
    else group.push(select);
    return select;
  });
  const shared = new Map<string, Pick<SelectNode, 'sharing' | 'hint'>>();
  for (const [key, group] of groups) {
    if (group.length === 1) continue;
    const sharing = { id: shared.size + 1, uses: group.length };
    shared.set(key, { sharing, hint: commonHint(group.map(({ hint }) => hint)) });
  }
  if (shared.size === 0) return root;
  return mapSelects(root, (select) => ({ ...select, ...shared.get(keyOf(select)) }));
}

/** Keys are dear beside the rest of what planning one selector takes. */
function hasTwoSelectors(root: PlanNode): boolean {
  let count = 0;
  mapSelects(root, (select) => {
    count++;
    return select;
  });
  return count > 1;
}

/** Equal for selectors of which one's samples are the other's, as long as they are evaluated for the same steps. */
function keyOf(select: SelectNode): string {
  const { selector, shift } = select;
  const matchers = selector.matchers.map(({ name, operator, value }) => [name, operator, value]);
  return JSON.stringify([
    select.kind,
    select.kind === 'matrix-select' ? select.windowMs : 0,
    matchers.toSorted((a, b) => (a.join('\0') < b.join('\0') ? -1 : 1)),
    shift.offsetMs,
    shift.atMs,
    selector.anchored,
    selector.smoothed,
    select.isSparse,
  ]);
}

function commonHint(hints: readonly SelectHint[]): SelectHint {
  const texts = new Set(hints.map((hint) => JSON.stringify(hint)));
  return texts.size === 1 ? hints[0]! : NO_HINT;
}
