import { EVERYONE, type HttpResponse } from '@pollux/base';
import { Router } from '@pollux/http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestStore } from '../../test/harness.ts';
import { registerStoragePages } from '../index.ts';

let store: TestStore;

beforeEach(() => {
  store = new TestStore();
});
afterEach(() => store.close());

async function pageOf(target: string, authorization = ''): Promise<HttpResponse> {
  const router = new Router({ monotonic: () => 0 });
  registerStoragePages(router, store.service, store.store);
  return router.handler({
    method: 'GET',
    target,
    headers: { authorization },
    remote: { host: '127.0.0.1', port: 1 },
    body: async () => new Uint8Array(0),
    stream: async function* () {},
    signal: new AbortController().signal,
    principal: EVERYONE,
  });
}

it('shows names as texts, whatever is in them, and links to where they lead', async () => {
  await store.open();
  const name = '<script>"&\' %2F?#';
  store.service.meta.createDatabase(name);
  const written = await store.write(name, 'm<b>,t=1 f<i>="x",n=1i 0');
  expect(written.status).toBe(204);
  await store.query(
    `CREATE SUBSCRIPTION s ON "${name.replaceAll('"', '\\"')}".autogen DESTINATIONS ALL 'http://u:hidden@h:1?p=hidden'`,
  );
  const overview = await pageOf('/');
  expect(overview.headers?.['content-security-policy']).toContain("default-src 'none'");
  const [, link = ''] = /href="(\/database[^"]*)"/.exec(String(overview.body)) ?? [];
  const page = await pageOf(link.replaceAll('&#39;', "'"));
  expect(page.status).toBe(200);
  const body = String(page.body);
  expect(body).toContain('<h1>&lt;script&gt;&quot;&amp;&#39; %2F?#</h1>');
  expect(body).toContain('<td>m&lt;b&gt;</td><td>f&lt;i&gt; (string), n (integer)</td>');
  expect(body).toContain('<td>http://u:xxxxx@h:1?p=xxxxx</td>');
  expect(body).not.toMatch(/<script|<b>|<i>|hidden/);
});

it('tells when a group goes, and what it takes on disk, of closed groups too', async () => {
  await store.open();
  await store.query('CREATE DATABASE d WITH DURATION 36500d SHARD DURATION 7d');
  await store.write('d', `m v=1 ${Date.UTC(2024, 0, 17)}`, { precision: 'ms' });
  const row =
    /<td>2024-01-15T00:00:00Z<\/td><td>2024-01-22T00:00:00Z<\/td><td>2123-[^<]*<\/td><td class="n">([1-9]\d* B)/;
  expect(String((await pageOf('/database/d')).body)).toMatch(row);
  const [open = 0] = store.store.groupBytes().values();
  await store.write('d', `m v=1 ${Date.UTC(2024, 0, 24)}`, { precision: 'ms' });
  await store.service.close();
  await store.store.close();
  await store.open();
  // Only the newest group of a policy is opened at once.
  const [closed = 0] = store.store.groupBytes().values();
  expect(closed).toBeGreaterThanOrEqual(open);
});

it('are refused without an administrator, where authentication is on', async () => {
  await store.open({ INFLUXDB_HTTP_AUTH_ENABLED: 'true' });
  expect((await pageOf('/')).status).toBe(403);
  store.service.meta.createUser('a', 'pw', true);
  store.service.meta.createUser('u', 'pw', false);
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  expect((await pageOf('/')).headers?.['www-authenticate']).toBe('Basic realm="InfluxDB"');
  expect((await pageOf('/database/x', basic('u:pw'))).status).toBe(403);
  expect((await pageOf('/', basic('a:pw'))).status).toBe(200);
});
