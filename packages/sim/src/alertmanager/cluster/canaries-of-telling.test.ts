import { DATA } from '../simulated-member.ts';
import {
  alwaysAccepted,
  firesForever,
  onlyOwnEnds,
  toldAgain,
  withoutEnds,
  withoutRepeats,
} from './bugs-of-telling.ts';
import { type Canary, expectFound, isCluster } from './canaries.ts';

/** Of what a member tells, and keeps of it. */
const CANARIES: readonly Canary[] = [
  {
    bug: 'what is told is told once more, where doubles have many excuses',
    shows: ({ kind, members }) => kind === 'cut' && members <= 5,
    says: /too many: m\d+ to r\d of g\d firing\[.*\], sent at \d+ ms when the log of m\d+ had firing/,
    sabotage: { env: toldAgain },
  },
  {
    bug: 'entries of the log live too short',
    shows: isCluster,
    says: /too many: |too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { flags: ['--data.retention=1s'] },
  },
  {
    bug: 'what goes on is not repeated',
    shows: isCluster,
    says: /too few: nobody repeated to r\d that g\d\/\d is firing/,
    sabotage: { env: withoutRepeats },
  },
  {
    bug: 'power loss takes the disk with it',
    shows: ({ kind, members }) => kind === 'crash' && members === 1,
    // What it told as firing it tells again, or never tells the end of.
    says: /too many: |too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { disk: (files) => files.removeTree(DATA) },
  },
  {
    bug: 'a refusal is taken for an acceptance',
    shows: ({ kind, members }) => kind === 'receiver' && members <= 5,
    says: /too few: nobody told /,
    sabotage: { env: (env) => ({ ...env, net: alwaysAccepted(env.net) }) },
  },
  {
    bug: 'ends are not sent',
    shows: (plan) => isCluster(plan) && plan.sendResolved.includes(true),
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: withoutEnds },
  },
  // Bugs that could hide behind what excuses a run.
  {
    bug: 'what others told is not taken over, where members die',
    shows: ({ kind, members }) => kind === 'crash' && members >= 2 && members <= 5,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: onlyOwnEnds },
  },
  {
    bug: 'what has ended is told to fire again and again, and nobody answers that',
    shows: isCluster,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: firesForever },
  },
  {
    bug: 'what others told is not taken over, where clocks are wrong',
    shows: ({ kind, members }) => kind === 'storm' && members >= 2 && members <= 5,
    says: /too few: nobody told r\d that g\d\/\d is resolved/,
    sabotage: { env: onlyOwnEnds },
  },
];

expectFound(CANARIES);
