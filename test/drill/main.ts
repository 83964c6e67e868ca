import { parseArgs } from 'node:util';
import { SeededRandom } from '@pollux/base';
import { alertOnce } from './steps/alert-once.ts';
import { answersThroughOutages } from './steps/answers-through-outages.ts';
import { emptyDisk } from './steps/empty-disk.ts';
import { failoverOfNotifier } from './steps/failover-of-notifier.ts';
import { mixedCluster, whyNoMixedCluster } from './steps/mixed-cluster.ts';
import { silenceEverywhere } from './steps/silence-everywhere.ts';
import { storeCatchesUp } from './steps/store-catches-up.ts';
import { BrokenPromise, World } from './world.ts';

/** The acceptance drill: what the pair promises, kept or not, with real processes that are really broken. */
const STEPS: readonly {
  readonly key: string;
  readonly what: string;
  readonly run: (world: World) => Promise<void>;
  /** Why the step cannot be done here; null when it can. */
  readonly whyNot?: () => string | null;
}[] = [
  { key: 'a', what: 'one alert on both sides, one message out, one resolved', run: alertOnce },
  {
    key: 'b',
    what: 'a silence holds everywhere, also after a disk is lost',
    run: silenceEverywhere,
  },
  {
    key: 'c',
    what: 'no query through the gateway fails or lies while servers fall',
    run: answersThroughOutages,
  },
  { key: 'd', what: 'a store that was away catches up to the last sample', run: storeCatchesUp },
  { key: 'e', what: 'a server with an empty disk answers for the time before', run: emptyDisk },
  {
    key: 'f0',
    what: 'the first notifier dies with an alert in hand',
    run: (world) => failoverOfNotifier(world, 0),
  },
  {
    key: 'f1',
    what: 'the second notifier dies with an alert in hand',
    run: (world) => failoverOfNotifier(world, 1),
  },
  {
    key: 'g',
    what: 'a real Alertmanager joins the pair, its silence holds, and it dies',
    run: mixedCluster,
    whyNot: whyNoMixedCluster,
  },
];

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});

const firstSeed =
  values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const only = values.only === '' ? null : new Set(values.only.split(','));
for (let run = 0; run < Number(values.runs); run++) {
  if (!(await drill(firstSeed + run))) process.exit(1);
}
process.exit(0);

async function drill(seed: number): Promise<boolean> {
  const began = Date.now();
  console.log(`drill, seed ${seed} (repeat: npm run drill -- --seed=${seed})`);
  const world = await World.start(new SeededRandom(seed));
  console.log(`     the pair is up            ${seconds(began)}`);
  let isKept = true;
  for (const { key, what, run, whyNot } of STEPS) {
    if (only !== null && !only.has(key)) continue;
    const why = whyNot?.() ?? null;
    if (why !== null) {
      console.log(`${key.padEnd(3)}  left out         ${what}: ${why}`);
      continue;
    }
    const startMs = Date.now();
    try {
      await run(world);
      console.log(`${key.padEnd(3)}  kept    ${seconds(startMs)}  ${what}`);
    } catch (error) {
      isKept = false;
      console.log(`${key.padEnd(3)}  BROKEN  ${seconds(startMs)}  ${what}`);
      console.log(`     ${error instanceof BrokenPromise ? error.message : error}`);
      console.log(
        world.logs
          .slice(-60)
          .map((line) => `     ${line}`)
          .join('\n'),
      );
      break;
    }
  }
  await world.end();
  console.log(
    `drill, seed ${seed}: ${isKept ? 'every promise kept' : 'a promise was broken'} in ${seconds(began)}`,
  );
  return isKept;
}

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1_000).toFixed(1).padStart(6)} s`;
}
