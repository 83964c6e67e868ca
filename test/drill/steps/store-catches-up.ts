import { Matcher } from '@pollux/model';
import { Dump, EVERYTHING } from '../dump.ts';
import { promise, type World } from '../world.ts';

const OUTAGE_MS = 20_000;
const CATCH_UP_MS = 20_000;
/** Samples as young as this may still be on their way. */
const IN_FLIGHT_MS = 3_000;
const EXTERNAL = ['cluster', 'prometheus_replica'];

/** A store is away for 20 s; 20 s after it is back both stores hold every sample of both servers. */
export async function storeCatchesUp(world: World): Promise<void> {
  const host = world.anyHost();
  const startMs = world.now() - 5_000;
  await world.stop(`${host}/store`, world.random.below(2) === 0 ? 'SIGTERM' : 'SIGKILL');
  await world.sleep(OUTAGE_MS);
  world.start(`${host}/store`);
  await world.ready(`${host}/store`);
  await world.sleep(CATCH_UP_MS);
  const range = { minMs: startMs, maxMs: world.now() - IN_FLIGHT_MS };
  for (const replica of ['A', 'B'] as const) {
    const own = await Dump.read(world, `${world.url(`${replica}/server`)}/api/v1/read`, {
      ...range,
      matchers: EVERYTHING,
      drop: EXTERNAL,
    });
    promise(
      own.sampleCount > 1_000,
      `server ${replica} dumps its samples, not only ${own.sampleCount}`,
    );
    for (const store of ['A', 'B'] as const) {
      const held = await Dump.read(
        world,
        `${world.url(`${store}/store`)}/api/v1/prom/read?db=prometheus`,
        {
          ...range,
          matchers: [...EVERYTHING, new Matcher('prometheus_replica', '=', replica)],
          drop: EXTERNAL,
        },
      );
      const missing = own.firstMissingFrom(held);
      promise(
        missing === null,
        `store ${store} holds all of server ${replica}'s samples, but lacks ${missing}`,
      );
    }
  }
}
