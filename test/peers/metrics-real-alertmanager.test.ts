import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  isRealInstalled,
  Member,
  type MemberKind,
  REAL_ALERTMANAGER,
  until,
} from '../cluster/member.ts';
import { freePort } from '../soak/child-process.ts';

const isInstalled = isRealInstalled();
const title = isInstalled
  ? `metrics beside those of ${REAL_ALERTMANAGER}`
  : `metrics beside the original's (skipped: ${REAL_ALERTMANAGER} is not installed; npm run peers installs it)`;

/** Families of the original that this program has nothing to count for. */
const WITHOUT = new Map([
  // Gone in 0.34, where `alertmanager_alerts` says it.
  ['alertmanager_marked_alerts', 'up to 0.25'],
  // Alerts are given to who listens by a call.
  ['alertmanager_alerts_subscriber_channel_writes_total', 'no channels'],
  // One thread makes groups, and their number has no limit.
  ['alertmanager_dispatcher_aggregation_group_creation_given_up_total', 'no contention'],
  ['alertmanager_dispatcher_aggregation_group_creation_retries_total', 'no contention'],
  ['alertmanager_dispatcher_aggregation_group_limit_reached_total', 'no limit'],
  // The original hears of itself; here it counts what others tell.
  ['alertmanager_cluster_alive_messages_total', 'no peers'],
  // Silences are found by one of their matchers, not by when they changed.
  ['alertmanager_silences_version_index_size', 'another index'],
]);

/** Of how the original was built. */
const LABELS_WITHOUT = new Map([
  ['alertmanager_build_info', ['branch', 'goarch', 'goos', 'revision', 'tags']],
]);

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 1s}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]
`;

type Shape = { readonly type: string; readonly labels: readonly string[] };

describe.skipIf(!isInstalled)(title, { timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'metrics-'));
  const members: Member[] = [];
  const shapes: Record<string, ReadonlyMap<string, Shape>> = {};

  beforeAll(async () => {
    for (const kind of ['real', 'ours'] satisfies MemberKind[]) {
      const member = new Member({
        kind,
        directory: path.join(directory, kind),
        config: CONFIG,
        webPort: await freePort(),
        clusterPort: await freePort(),
        peerPorts: [],
        flags: ['--cluster.settle-timeout=1s'],
      });
      members.push(member);
      await member.start();
      await member.post('/api/v2/alerts', [{ labels: { alertname: 'A' } }]);
      await member.get('/api/v2/alerts');
      await until(`${kind} notifies`, async () =>
        (await textOf(member)).includes('requests_total{integration="webhook"} 1'),
      );
      shapes[kind] = shapesOf(await textOf(member));
    }
  }, 60_000);

  afterAll(async () => {
    await Promise.all(members.map((member) => member.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  it('have all of its names, with their types', () => {
    const ours = shapes.ours ?? new Map<string, Shape>();
    const missing = [...(shapes.real ?? [])].filter(
      ([name, { type }]) => !WITHOUT.has(name) && ours.get(name)?.type !== type,
    );
    expect(missing).toEqual([]);
  });

  it('have all of its labels', () => {
    const ours = shapes.ours ?? new Map<string, Shape>();
    const lacking = [...(shapes.real ?? [])].flatMap(([name, { labels }]) => {
      const known = ours.get(name)?.labels ?? [];
      const missing = WITHOUT.has(name)
        ? []
        : labels.filter(
            (label) => !known.includes(label) && !LABELS_WITHOUT.get(name)?.includes(label),
          );
      return missing.length === 0 ? [] : [`${name}{${missing.join()}}`];
    });
    expect(lacking).toEqual([]);
  });
});

async function textOf(member: Member): Promise<string> {
  const answer = await fetch(`${member.url}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return await answer.text();
}

/** Of the families of the program itself, by their names. */
function shapesOf(text: string): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, { type: string; labels: string[] }>();
  let current: { type: string; labels: string[] } | undefined;
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (alertmanager_\S+) (\S+)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) {
      current = { type, labels: [] };
      shapes.set(name, current);
    } else if (line.startsWith('# ')) {
      if (line.startsWith('# TYPE')) current = undefined;
    } else {
      for (const [, label] of line.matchAll(/[{,]([a-z_]+)="/g)) {
        if (label !== undefined && !current?.labels.includes(label)) current?.labels.push(label);
      }
    }
  }
  return shapes;
}
