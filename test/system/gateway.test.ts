import { existsSync, readFileSync, renameSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UpstreamDouble } from '../peers/upstream-double.ts';
import { eventually, RunningRole, Scratch } from './running-role.ts';

let scratch: Scratch;
let first: UpstreamDouble;
let second: UpstreamDouble;
let gateway: RunningRole;

function config(double: UpstreamDouble): string {
  return `
groups: [{name: web, kind: http, members: [{name: m, url: 'http://127.0.0.1:${double.port}'}]}]
access_log: {file: ${scratch.at('access.log')}}
hosts: [{server_names: [_], locations: [{path: /, group: web}]}]
`;
}

beforeAll(async () => {
  scratch = new Scratch();
  first = await UpstreamDouble.start('first');
  second = await UpstreamDouble.start('second');
  const file = scratch.file('gateway.yml', config(first));
  gateway = await RunningRole.start([
    'gateway',
    `--config.file=${file}`,
    '--web.listen-address=127.0.0.1:0',
  ]);
});
afterAll(async () => {
  await gateway.end();
  await first.stop();
  scratch.remove();
});

it('passes requests on, and takes another file by SIGHUP', async () => {
  expect(await gateway.get('/')).toMatchObject({ status: 200, text: 'first' });
  scratch.file('gateway.yml', 'groups: [{name: web}]');
  gateway.signal('SIGHUP');
  await eventually('refusal', 10_000, async () =>
    gateway.log.includes('gateway.yml:1:10: groups[0]: missing field') ? true : null,
  );
  expect((await gateway.get('/')).text).toBe('first');
  scratch.file('gateway.yml', config(second));
  gateway.signal('SIGHUP');
  await eventually('other member', 10_000, async () =>
    (await gateway.get('/')).text === 'second' ? true : null,
  );
});

it('fails no request while a member falls silent, comes back, and is killed under load', async () => {
  scratch.file(
    'gateway.yml',
    `
groups:
  - name: web
    kind: http
    health_check: {interval: 200ms, timeout: 200ms}
    members:
      - {name: first, url: 'http://127.0.0.1:${first.port}'}
      - {name: second, url: 'http://127.0.0.1:${second.port}'}
access_log: {file: ${scratch.at('access.log')}}
hosts: [{server_names: [_], locations: [{path: /, group: web}]}]
`,
  );
  gateway.signal('SIGHUP');
  await eventually('both members', 10_000, async () =>
    (await gateway.get('/')).text === 'first' && (await gateway.get('/')).text === 'second'
      ? true
      : null,
  );
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const endMs = performance.now() + 4_000;
  const statuses = new Map<number, number>();
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const { status } = await gateway.get('/');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 8 }, client);
  await pause(500);
  first.behaviour = 'hang';
  await pause(1_500);
  first.behaviour = 'good';
  await pause(1_000);
  await second.stop();
  await Promise.all(clients);
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(50);
});

it('opens its log files anew by SIGUSR1, which opens no port of a debugger', async () => {
  renameSync(scratch.at('access.log'), scratch.at('old.log'));
  gateway.signal('SIGUSR1');
  await eventually('new log', 10_000, async () =>
    existsSync(scratch.at('access.log')) ? true : null,
  );
  await gateway.get('/after');
  await eventually('line', 10_000, async () =>
    readFileSync(scratch.at('access.log'), 'utf8').includes('"GET /after HTTP/1.1" 200 5')
      ? true
      : null,
  );
  expect(gateway.log).not.toContain('Debugger');
});
