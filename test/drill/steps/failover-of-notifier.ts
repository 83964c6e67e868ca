import { FOR_MS, GROUP_WAIT_MS, PEER_TIMEOUT_MS, promise, type World } from '../world.ts';

type Status = { cluster: { name: string; peers: { name: string; address: string }[] } };
type Alerts = { labels: Record<string, string> }[];

/** The alertmanager at `position` dies while an alert waits in group_wait: the message comes all the same, and once. */
export async function failoverOfNotifier(world: World, position: 0 | 1): Promise<void> {
  const victim = await hostAt(world, position);
  const host = world.anyHost();
  const instance = world.target(host);
  const survivor = world.other(victim);
  const before = (await world.messages()).length;
  await world.stop(`${host}/node-exporter`);
  // The alert is in group_wait from the moment the victim has it.
  await world.eventually('the alert reaches the alertmanagers', FOR_MS + 10_000, async () => {
    const alerts = await world.json<Alerts>(`${world.url(`${victim}/alertmanager`)}/api/v2/alerts`);
    return alerts.some(({ labels }) => labels.instance === instance) ? true : null;
  });
  await world.stop(`${victim}/alertmanager`, 'SIGKILL');
  await world.eventually(
    `the message comes from alertmanager ${survivor}`,
    GROUP_WAIT_MS + 8_000,
    async () => ((await world.messages()).length > before ? true : null),
  );
  await world.sleep(3 * PEER_TIMEOUT_MS);
  const fresh = (await world.messages()).slice(before);
  promise(
    fresh.length === 1,
    `one message, not ${fresh.length}: ${fresh.map(({ text }) => text).join(' | ')}`,
  );
  promise(
    fresh[0]?.text.includes(`InstanceDown@${instance}=firing`) === true,
    `it tells of ${instance}`,
  );

  world.start(`${victim}/alertmanager`);
  world.start(`${host}/node-exporter`);
  await world.ready(`${victim}/alertmanager`, `${host}/node-exporter`);
  await world.eventually('the resolved message comes', 60_000, async () =>
    (await world.messages()).length > before + 1 ? true : null,
  );
  await world.eventually('both alertmanagers see each other again', 30_000, async () => {
    const { cluster } = await world.json<Status>(
      `${world.url(`${survivor}/alertmanager`)}/api/v2/status`,
    );
    return cluster.peers.length === 2 ? true : null;
  });
}

/** Members sort by name; the position is the place in that order. */
async function hostAt(world: World, position: 0 | 1): Promise<'A' | 'B'> {
  const names: { host: 'A' | 'B'; name: string }[] = [];
  for (const host of ['A', 'B'] as const) {
    const { cluster } = await world.json<Status>(
      `${world.url(`${host}/alertmanager`)}/api/v2/status`,
    );
    names.push({ host, name: cluster.name });
  }
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  return names[position]?.host ?? 'A';
}
