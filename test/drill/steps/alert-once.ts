import {
  FOR_MS,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  PEER_TIMEOUT_MS,
  promise,
  QUIET_MS,
  type World,
} from '../world.ts';

type ServerAlerts = { data: { alerts: { labels: Record<string, string>; state: string }[] } };
type ManagerAlert = { fingerprint: string; labels: Record<string, string> };

/** One host's node-exporter stops: one alert on both sides, one message out; it comes back: one message more. */
export async function alertOnce(world: World): Promise<void> {
  const host = world.anyHost();
  const instance = world.target(host);
  const before = (await world.messages()).length;
  await world.stop(`${host}/node-exporter`);

  for (const at of ['A', 'B'] as const) {
    await world.eventually(`InstanceDown fires on server ${at}`, FOR_MS + 10_000, async () => {
      const { data } = await world.json<ServerAlerts>(`${world.url(`${at}/server`)}/api/v1/alerts`);
      const firing = data.alerts.filter(
        ({ state, labels }) => state === 'firing' && labels.instance === instance,
      );
      return firing.length === 1 ? true : null;
    });
  }
  const prints = new Set<string>();
  for (const at of ['A', 'B'] as const) {
    const alert = await world.eventually(`alertmanager ${at} lists the alert`, 10_000, async () => {
      const alerts = await world.json<ManagerAlert[]>(
        `${world.url(`${at}/alertmanager`)}/api/v2/alerts`,
      );
      const ours = alerts.filter(({ labels }) => labels.instance === instance);
      promise(
        ours.length <= 1,
        `alertmanager ${at} lists the alert ${ours.length} times: replicas are not merged`,
      );
      return ours[0] ?? null;
    });
    prints.add(alert.fingerprint);
  }
  promise(
    prints.size === 1,
    `one fingerprint on both alertmanagers, not ${[...prints].join(', ')}`,
  );
  await expectOne(world, before, 'firing', `InstanceDown@${instance}=firing`);

  world.start(`${host}/node-exporter`);
  await world.ready(`${host}/node-exporter`);
  await expectOne(world, before + 1, 'resolved', `InstanceDown@${instance}=resolved`);
}

/** Exactly one message more than `count`, holding exactly `alert`, and silence afterwards. */
async function expectOne(
  world: World,
  count: number,
  status: string,
  alert: string,
): Promise<void> {
  const timeoutMs = GROUP_WAIT_MS + GROUP_INTERVAL_MS + PEER_TIMEOUT_MS + FOR_MS + 15_000;
  await world.eventually(`the ${status} message reaches the robot`, timeoutMs, async () =>
    (await world.messages()).length > count ? true : null,
  );
  await world.sleep(QUIET_MS);
  const fresh = (await world.messages()).slice(count);
  promise(
    fresh.length === 1,
    `one ${status} message, not ${fresh.length}: ${fresh.map(({ text }) => text).join(' | ')}`,
  );
  const text = fresh[0]?.text ?? '';
  promise(
    text.includes(`DRILL ${status} ${alert}`),
    `the message is ${status} with ${alert}, not ${text}`,
  );
  promise(text.split('@').length === 2, `the message holds one alert, not ${text}`);
}
