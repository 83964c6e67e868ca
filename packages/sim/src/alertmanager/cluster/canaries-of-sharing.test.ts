import { GossipNode } from '@pollux/gossip';
import { vi } from 'vitest';
import { DATA } from '../simulated-member.ts';
import {
  deafAfterAWhile,
  notExchanged,
  notShared,
  notTold,
  oneTurnForAll,
} from './bugs-of-sharing.ts';
import { type Canary, expectFound, isCluster } from './canaries.ts';
import type { ClusterPlan } from './cluster-plan.ts';

/** Of what members have of each other. */
const CANARIES: readonly Canary[] = [
  {
    bug: 'members do not wait for each other',
    shows: isCluster,
    says: /too many: /,
    sabotage: { flags: ['--cluster.peer-timeout=0s'] },
  },
  {
    bug: 'every member takes itself for the first',
    shows: isCluster,
    says: /too many: /,
    begin: () => void vi.spyOn(GossipNode.prototype, 'position').mockReturnValue(0),
  },
  {
    bug: 'the notification log is not shared',
    shows: isCluster,
    says: /too many: /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'silences are not shared',
    shows: (plan) => isCluster(plan) && hasSilence(plan),
    says: /silences differ: /,
    begin: () => notShared('sil'),
  },
  {
    bug: 'silences of others are not applied',
    shows: (plan) => isCluster(plan) && hasSilence(plan),
    says: /silenced everywhere, but told: /,
    begin: () => notShared('sil'),
  },
  {
    bug: 'the notification log is not shared, where the network loses much anyway',
    shows: ({ kind, members }) => kind === 'lossy' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'members end with different logs',
    shows: isCluster,
    says: /the log of m\d+ is behind: /,
    begin: () => notShared('nfl'),
  },
  {
    bug: 'news of the log go round with whole states only, where members die anyway',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    begin: () => notTold('nfl'),
  },
  {
    bug: 'members fall silent',
    shows: isCluster,
    says: /a live member was declared dead at /,
    sabotage: { env: deafAfterAWhile },
  },
  // Bugs that could hide behind what excuses a run.
  {
    bug: 'who lost its disk does not ask the others for the log',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too many: m\d+ to r\d of g\d .* after m\d+ /,
    sabotage: { disk: (files) => files.removeTree(DATA) },
    begin: () => notExchanged('nfl'),
  },
  {
    bug: 'all but the first wait for the first only, where members die',
    shows: ({ kind, members }) => kind === 'crash' && members >= 3 && members <= 5,
    says: /too many: /,
    begin: oneTurnForAll,
  },
];

expectFound(CANARIES);

function hasSilence({ steps }: ClusterPlan): boolean {
  return steps.some(({ event }) => event.kind === 'silence');
}
