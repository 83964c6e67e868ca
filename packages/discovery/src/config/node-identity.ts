import type { ConfigNode } from '@pollux/config';

/** A configuration value as text, places left out: equal texts mean equal configurations. Holds secrets; never print it. */
export function nodeIdentity(node: ConfigNode): string {
  switch (node.kind) {
    case 'map':
      return `{${node.entries
        .map(({ key, value }) => `${JSON.stringify(key)}:${nodeIdentity(value)}`)
        .sort()
        .join(',')}}`;
    case 'list':
      return `[${node.items.map(nodeIdentity).join(',')}]`;
    case 'scalar':
      return JSON.stringify(node.text);
    case 'null':
      return 'null';
  }
}
