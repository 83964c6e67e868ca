import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { configOf, STORIES, type Stage, type Told, tellAll, toldBy } from '@pollux/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRealInstalled, Member, REAL_ALERTMANAGER, until } from '../cluster/member.ts';
import { freePort } from '../soak/child-process.ts';

const isInstalled = isRealInstalled();
const title = isInstalled
  ? `told to two of ours and ${REAL_ALERTMANAGER} in one cluster`
  : `told to a mixed cluster (skipped: ${REAL_ALERTMANAGER} is not installed; npm run peers installs it)`;

/** Processes on a busy machine. */
const SLACK_S = 0.9;
/** Debian's 0.25 refuses labels of any characters, and starts its groups anew at a reload. */
const TOLD = STORIES.filter(({ needsUtf8, isApart }) => needsUtf8 !== true && isApart !== true);

/** Hooks of all stories at `/<story>/<hook>`. */
class Hooks {
  readonly told = new Map<number, Told[]>();
  readonly broken = new Set<string>();
  beganMs = 0;
  readonly #server: Server = createServer((request, response) => {
    const [, story = '', hook = ''] = (request.url ?? '').split('/');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.statusCode = this.broken.has(`${story}/${hook}`) ? 503 : 200;
      if (response.statusCode === 200) {
        const index = Number(story);
        const body = Buffer.concat(chunks).toString();
        const message = toldBy(body, hook, Date.now(), this.beganMs);
        this.told.set(index, [...(this.told.get(index) ?? []), message]);
      }
      response.end();
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe.skipIf(!isInstalled)(title, { timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'stories-'));
  const hooks = new Hooks();
  let members: readonly Member[] = [];
  let found: readonly (readonly string[])[] = [];

  beforeAll(async () => {
    const config = configOf(TOLD, await hooks.start());
    const ports: number[] = [];
    for (let i = 0; i < 6; i++) ports.push(await freePort());
    const [a = 0, b = 0, c = 0, ...web] = ports;
    // Names sort so: ours, the real one (a ULID of our time begins with 0), ours.
    const kinds = [
      { kind: 'ours', name: '00-first', port: a },
      { kind: 'real', name: 'real', port: b },
      { kind: 'ours', name: 'zz-last', port: c },
    ] as const;
    members = kinds.map(
      ({ kind, name, port }, index) =>
        new Member({
          kind,
          directory: path.join(directory, name),
          config,
          webPort: web[index] ?? 0,
          clusterPort: port,
          peerPorts: [a, b, c].filter((other) => other !== port),
          flags: [
            '--cluster.settle-timeout=2s',
            ...(kind === 'ours' ? [`--cluster.peer-name=${name}`] : []),
          ],
        }),
    );
    await Promise.all(members.map((member) => member.start()));
    for (const member of members) {
      await until('all see three members, settled', async () => {
        const { status, peers } = await member.cluster();
        return status === 'ready' && peers.length === 3;
      });
    }
    hooks.beganMs = Date.now();
    found = await tellAll(stageOf(members, hooks), TOLD, { slackS: SLACK_S });
  });
  afterAll(async () => {
    await Promise.all(members.map((member) => member.stop()));
    hooks.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it.each(TOLD.map(({ name }, index) => ({ name, index })))('$name', ({ index }) => {
    expect(found[index]).toEqual([]);
  });
});

function stageOf(members: readonly Member[], hooks: Hooks): Stage {
  const nowS = (): number => (Date.now() - hooks.beganMs) / 1_000;
  return {
    members: members.length,
    nowS,
    waitUntil: (atS) =>
      new Promise((resolve) => {
        setTimeout(resolve, Math.max(0, atS - nowS()) * 1_000);
      }),
    timeOf: (atS) => new Date(hooks.beganMs + atS * 1_000).toISOString(),
    ask: async (index, { method, path: target, body }) => {
      const response = await fetch(`${members[index]?.url}/api/v2${target}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(5_000),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${target}: ${response.status} ${text}`);
      return text === '' ? null : JSON.parse(text);
    },
    setHook: (story, hook, isWell) => {
      if (isWell) hooks.broken.delete(`${story}/${hook}`);
      else hooks.broken.add(`${story}/${hook}`);
    },
    reload: () => Promise.reject(new Error('stories that reload are not told here')),
    told: (story) => hooks.told.get(story) ?? [],
  };
}
