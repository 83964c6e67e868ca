import { promise, type World } from '../world.ts';

type Answer<T> = { data: T };
type Matrix = { result: { metric: Record<string, string>; values: [number, string][] }[] };

/** A server loses its disk while its twin is down: asked directly, it still answers for the time before. */
export async function emptyDisk(world: World): Promise<void> {
  const host = world.anyHost();
  const twin = world.other(host);
  const beforeMs = world.now() - 5_000;
  // What was just scraped must have reached the stores.
  await world.sleep(3_000);
  await world.stop(`${twin}/server`);
  await world.stop(`${host}/server`, 'SIGKILL');
  world.wipe(`${host}/server`);
  world.start(`${host}/server`);
  await world.ready(`${host}/server`);

  const url = world.url(`${host}/server`);
  const end = Math.floor(beforeMs / 1_000);
  const window = `start=${end - 10}&end=${end}`;
  await world.eventually(
    'a range query over the time before the wipe has its samples',
    10_000,
    async () => {
      const { data } = await world.json<Answer<Matrix>>(
        `${url}/api/v1/query_range?query=up{job="node"}&${window}&step=1`,
      );
      const points = data.result.map(({ values }) => values.length);
      return points.length === 2 && points.every((count) => count >= 10) ? true : null;
    },
  );
  const series = await world.json<Answer<Record<string, string>[]>>(
    `${url}/api/v1/series?match[]=up&${window}`,
  );
  promise(
    series.data.length >= 3,
    `the series call gives the series of before, not ${series.data.length}`,
  );
  promise(
    series.data.every((labels) => labels.prometheus_replica === undefined),
    'series from remote storage carry no replica label',
  );
  const values = await world.json<Answer<string[]>>(
    `${url}/api/v1/label/instance/values?${window}`,
  );
  for (const at of ['A', 'B'] as const) {
    promise(
      values.data.includes(world.target(at)),
      `label values hold ${world.target(at)}, not ${values.data.join(', ')}`,
    );
  }
  world.start(`${twin}/server`);
  await world.ready(`${twin}/server`);
}
