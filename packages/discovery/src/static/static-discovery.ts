import type { Decoder } from '@pollux/config';
import { nodeIdentity } from '../config/node-identity.ts';
import { type WrittenGroup, writtenGroups } from '../config/target-groups.ts';
import type { Discoverer, EmitGroups, Mechanism, ProviderSpec } from '../discoverer.ts';

/** Targets written in the configuration itself. */
class StaticDiscoverer implements Discoverer {
  readonly #groups: readonly WrittenGroup[];

  constructor(groups: readonly WrittenGroup[]) {
    this.#groups = groups;
  }

  start(emit: EmitGroups): void {
    emit(this.#groups.map((group, index) => ({ source: String(index), ...group })));
  }
}

/** `static_configs`: one provider for all groups of a job. */
export const staticConfigs: Decoder<readonly ProviderSpec[]> = (node, path, context) => {
  const groups = writtenGroups(node, path, context);
  if (groups.length === 0) return [];
  return [
    {
      mechanism: 'static',
      identity: `static${nodeIdentity(node)}`,
      create: () => new StaticDiscoverer(groups),
    },
  ];
};

export const staticMechanism: Mechanism = {
  name: 'static',
  configKey: 'static_configs',
  decoder: staticConfigs,
};
