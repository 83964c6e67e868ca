import { type ConfigNode, entryOf, refuse } from '@pollux/config';
import type { GroupConfig } from '../balance/group-config.ts';

/** What `shards` of gateway.yml must be: all groups of servers, by name, each once; refuses with place and remedy. */
export function checkShards(
  {
    groups,
    shards,
  }: { readonly groups: readonly GroupConfig[]; readonly shards: readonly string[] },
  root: ConfigNode,
): void {
  const list = entryOf(root, 'shards');
  if (list === null || shards.length === 0) return;
  const names = new Set<string>();
  for (const [index, name] of shards.entries()) {
    const at = list.kind === 'list' ? (list.items[index] ?? list) : list;
    const path = `shards[${index}]`;
    const group = groups.find((one) => one.name === name);
    if (group === undefined) refuse(at, path, `there is no group "${name}"`);
    if (group.kind !== 'server')
      refuse(at, path, `group "${name}" is of kind "${group.kind}"; shards are of kind "server"`);
    if (names.has(name)) refuse(at, path, `"${name}" is named twice`);
    names.add(name);
  }
  if (shards.length < 2)
    refuse(list, 'shards', 'needs at least two groups of kind "server"; leave it out for one');
  const missing = groups.find(({ kind, name }) => kind === 'server' && !names.has(name));
  if (missing !== undefined)
    refuse(list, 'shards', `group "${missing.name}" of kind "server" is missing`);
  const longTerm = entryOf(root, 'long_term');
  if (longTerm !== null)
    refuse(longTerm, 'long_term', 'is not read for shards; let the servers read the stores');
}
