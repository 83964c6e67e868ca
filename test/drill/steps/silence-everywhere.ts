import { FOR_MS, promise, QUIET_MS, type World } from '../world.ts';

type Silence = { id: string; status: { state: string } };

/** A silence made on one alertmanager holds on the other, also after the other lost its disk. */
export async function silenceEverywhere(world: World): Promise<void> {
  const host = world.anyHost();
  const made = world.anyHost();
  const other = world.other(made);
  const instance = world.target(host);
  const nowMs = world.now();
  const { silenceID } = await world.json<{ silenceID: string }>(
    `${world.url(`${made}/alertmanager`)}/api/v2/silences`,
    {
      matchers: [{ name: 'instance', value: instance, isRegex: false, isEqual: true }],
      startsAt: new Date(nowMs).toISOString(),
      endsAt: new Date(nowMs + 3_600_000).toISOString(),
      createdBy: 'drill',
      comment: 'drill',
    },
  );
  const isKnown = async (): Promise<true | null> => {
    const silences = await world.json<Silence[]>(
      `${world.url(`${other}/alertmanager`)}/api/v2/silences`,
    );
    return silences.some(({ id, status }) => id === silenceID && status.state === 'active')
      ? true
      : null;
  };
  await world.eventually(`the silence is on alertmanager ${other}`, 2_000, isKnown);

  const before = (await world.messages()).length;
  await world.stop(`${host}/node-exporter`);
  await world.sleep(FOR_MS + QUIET_MS);
  promise((await world.messages()).length === before, 'a silenced alert sends nothing');

  await world.stop(`${other}/alertmanager`);
  world.wipe(`${other}/alertmanager`);
  world.start(`${other}/alertmanager`);
  await world.ready(`${other}/alertmanager`);
  await world.eventually(`the silence is back on the wiped alertmanager ${other}`, 5_000, isKnown);
  await world.sleep(QUIET_MS);
  promise(
    (await world.messages()).length === before,
    'the wiped alertmanager sends nothing for the silenced alert',
  );

  world.start(`${host}/node-exporter`);
  await world.ready(`${host}/node-exporter`);
  await world.eventually('the alert is over', 60_000, async () => {
    const alerts = await world.json<unknown[]>(
      `${world.url(`${made}/alertmanager`)}/api/v2/alerts`,
    );
    return alerts.length === 0 ? true : null;
  });
  await world.json(
    `${world.url(`${made}/alertmanager`)}/api/v2/silence/${silenceID}`,
    undefined,
    'DELETE',
  );
  await world.sleep(1_000);
}
