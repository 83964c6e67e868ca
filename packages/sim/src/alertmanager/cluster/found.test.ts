import { expect, test } from 'vitest';
import { describeFailure, runCluster } from './cluster-run.ts';

const TIMEOUT_MS = 120_000;

/** Runs in which a promise was broken, or in which the checks were wrong: each with what it is about. */
const FOUND: readonly { readonly seed: number; readonly about: string }[] = [
  { seed: 1615, about: 'a message taken while its sender, which was stopped, was at its end' },
  { seed: 2252, about: 'a silence that ends while who is second stands still past its turn' },
  { seed: 2336, about: 'a group that begins anew while who is last waits to tell its end' },
  {
    seed: 2751,
    about: 'who tells has a clock behind that of a member whose attempt failed before',
  },
  {
    seed: 3320,
    about:
      'a flush that a clock ahead began, set back since; and a request given up that is taken behind its repetition',
  },
  { seed: 3618, about: 'a member that comes up while nobody is there who knows what was told' },
  {
    seed: 3656,
    about:
      'an alert that one member hears of before a flush and one behind it: their timers are apart by nearly a turn',
  },
  { seed: 3697, about: 'a beginning that its teller took along when it died' },
  {
    seed: 3796,
    about: 'two words of members that were cut from each other, the earlier by a clock ahead',
  },
  {
    seed: 5698,
    about:
      'an end that reaches the first behind its flush, while who is second stands still past its turn',
  },
  { seed: 6191, about: 'a message taken behind the moment in which its sender gave it up' },
  { seed: 6378, about: 'a repetition that a clock ahead calls for, set back before it is sent' },
  { seed: 7000, about: 'a member that missed the answer to its suspicion' },
  {
    seed: 7852,
    about:
      'an answer kept back by a cut, noted behind what another with a clock ahead told meanwhile',
  },
  { seed: 4099, about: 'a turn that comes when the log has forgotten what was told' },
];

for (const { seed, about } of FOUND) {
  test(
    `seed ${seed} keeps the promises of notifying: ${about}`,
    async () => {
      const report = await runCluster(seed);
      if (report.problems.length > 0) expect.fail(describeFailure(report));
    },
    TIMEOUT_MS,
  );
}
