import path from 'node:path';
import { HOSTS } from '@pollux/roles/up';
import { isRealInstalled, Member, REAL_ALERTMANAGER } from '../../cluster/member.ts';
import { freePort } from '../../soak/child-process.ts';
import {
  FOR_MS,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  PEER_TIMEOUT_MS,
  promise,
  type World,
} from '../world.ts';

type Status = { readonly cluster: { readonly peers: readonly unknown[] } };
type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: string };
};

/** The original is not told of alerts here and sends nothing. */
const CONFIG = 'route: {receiver: none}\nreceivers: [{name: none}]\n';

/** Why the step is left out; null when it can be done. */
export function whyNoMixedCluster(): string | null {
  return isRealInstalled()
    ? null
    : `${REAL_ALERTMANAGER} is not installed; npm run peers installs it`;
}

/** A real Alertmanager joins the pair's: its silence holds there, its end lets one message out, and its death harms nobody. */
export async function mixedCluster(world: World): Promise<void> {
  const real = new Member({
    kind: 'real',
    directory: path.join(world.pair.directory, 'original'),
    config: CONFIG,
    webPort: await freePort(),
    clusterPort: await freePort(),
    peerPorts: [],
    flags: [
      ...HOSTS.map((host) => `--cluster.peer=${world.gossipAddress(host)}`),
      '--cluster.settle-timeout=2s',
    ],
  });
  await real.start();
  try {
    await together(world, real);
  } finally {
    await real.stop();
  }
}

async function together(world: World, real: Member): Promise<void> {
  const api = (host: (typeof HOSTS)[number]): string =>
    `${world.url(`${host}/alertmanager`)}/api/v2`;
  const all = [...HOSTS.map(api), `${real.url}/api/v2`];
  const seeing = (urls: readonly string[], count: number) => async (): Promise<true | null> => {
    const seen = await Promise.all(urls.map((url) => world.json<Status>(`${url}/status`)));
    return seen.every(({ cluster }) => cluster.peers.length === count) ? true : null;
  };
  await world.eventually('all three alertmanagers see each other', 10_000, seeing(all, 3));

  const host = world.anyHost();
  const instance = world.target(host);
  const nowMs = world.now();
  const { silenceID } = await world.json<{ silenceID: string }>(`${real.url}/api/v2/silences`, {
    matchers: [{ name: 'instance', value: instance, isRegex: false, isEqual: true }],
    startsAt: new Date(nowMs).toISOString(),
    endsAt: new Date(nowMs + 3_600_000).toISOString(),
    createdBy: 'drill',
    comment: 'made on the original',
  });
  const before = (await world.messages()).length;
  await world.stop(`${host}/node-exporter`);
  await world.eventually('both of the pair hold the alert back', FOR_MS + 10_000, async () => {
    const lists = await Promise.all(HOSTS.map((one) => world.json<Alert[]>(`${api(one)}/alerts`)));
    return lists.every((alerts) =>
      alerts.some(
        ({ labels, status }) => labels.instance === instance && status.state === 'suppressed',
      ),
    )
      ? true
      : null;
  });
  await world.sleep(GROUP_WAIT_MS + 1_000);
  promise(
    (await world.messages()).length === before,
    'an alert silenced on the original sends nothing',
  );

  await world.json(`${real.url}/api/v2/silence/${silenceID}`, undefined, 'DELETE');
  await world.eventually(
    'the message comes when the silence has ended on the original',
    GROUP_INTERVAL_MS + 2 * PEER_TIMEOUT_MS,
    async () => ((await world.messages()).length > before ? true : null),
  );
  real.signal('SIGKILL');
  await world.eventually('the pair notices its death', 10_000, seeing(HOSTS.map(api), 2));
  promise((await world.messages()).length === before + 1, 'one message, not two');
  world.start(`${host}/node-exporter`);
  await world.ready(`${host}/node-exporter`);
  await world.eventually('the resolved message comes', 60_000, async () =>
    (await world.messages()).length > before + 1 ? true : null,
  );
}
