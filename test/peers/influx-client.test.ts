import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { HttpHandler } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStore } from '../../packages/influx/test/harness.ts';

const run = promisify(execFile);
const isThere = spawnSync('influx', ['-version']).status === 0;
const title = isThere
  ? "Debian's influx"
  : "Debian's influx (skipped: influx is not installed; apt-get install influxdb-client)";

describe.skipIf(!isThere)(title, () => {
  const env = nodeEnv();
  const store = new TestStore();
  let port = 0;
  let close = async (): Promise<void> => {};

  beforeAll(async () => {
    await store.open();
    const handler: HttpHandler = store.handler;
    const at = { host: '127.0.0.1', port: 0 };
    const listener = await env.net.serveHttp(
      { at, maxConnections: 64, readTimeoutMs: 10_000 },
      handler,
    );
    port = listener.address.port;
    close = () => listener.close(100);
  });
  afterAll(async () => {
    await close();
    await store.close();
  });

  async function influx(...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run(
      'influx',
      ['-host', '127.0.0.1', '-port', String(port), ...args],
      { timeout: 20_000 },
    );
    return stdout + stderr;
  }

  it('walks through the hand-made set-up: create, use, show', async () => {
    await influx('-execute', 'create database prometheus');
    expect(await influx('-execute', 'show databases')).toContain('prometheus');
    await store.write(
      'prometheus',
      'up,job=node value=1 1000000000\ngo_goroutines,job=node value=12 1000000000',
    );
    const measurements = await influx('-database', 'prometheus', '-execute', 'SHOW MEASUREMENTS');
    expect(measurements).toBe('name: measurements\nname\n----\ngo_goroutines\nup\n');
    const policies = await influx('-database', 'prometheus', '-execute', 'show retention policies');
    expect(policies).toContain('autogen 0s       168h0m0s           1        true');
    await influx(
      '-execute',
      'alter retention policy autogen on prometheus duration 30d  REPLICATION 1  SHARD DURATION 7d default',
    );
    expect(
      await influx('-database', 'prometheus', '-execute', 'show retention policies'),
    ).toContain('autogen 720h0m0s');
  });

  it('inserts, selects, and shows errors as errors', async () => {
    await influx('-execute', 'create database d');
    await influx(
      '-database',
      'd',
      '-execute',
      'insert cpu,host=a v=1.5,n=9223372036854775807i 1000000000',
    );
    const rows = await influx('-database', 'd', '-format', 'csv', '-execute', 'SELECT * FROM cpu');
    expect(rows).toBe('name,time,host,n,v\ncpu,1000000000,a,9223372036854775807,1.5\n');
    await expect(influx('-database', 'd', '-execute', 'SELECT mean( FROM cpu')).rejects.toThrow(
      /error parsing query/,
    );
  });
});
