import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Alertmanager, NO_CLUSTER, readConfig } from '@pollux/alertmanager';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);

function hasAmtool(): boolean {
  try {
    execFileSync('amtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isThere = hasAmtool();
const why = isThere
  ? ''
  : ' (skipped: amtool is not installed; apt-get install prometheus-alertmanager)';

const CONFIG = `
global: {resolve_timeout: 5m}
route:
  receiver: hook
  group_by: [alertname]
  routes: [{matchers: ['team="db"'], receiver: db}]
inhibit_rules:
  - {source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [host]}
receivers:
  - {name: hook, webhook_configs: [{url: 'http://127.0.0.1:9/?token=geheim'}]}
  - {name: db}
`;

describe.skipIf(!isThere)(`Debian's amtool${why}`, () => {
  const env = nodeEnv();
  const directory = mkdtempSync(join(tmpdir(), 'pollux-amtool-'));
  let alertmanager: Alertmanager;
  let listener: Listener;
  let url = '';

  beforeAll(async () => {
    alertmanager = new Alertmanager({
      env,
      log: Log.silent(),
      registry: new Registry(),
      cluster: NO_CLUSTER,
      storageDirectory: join(directory, 'data'),
      externalUrl: 'http://am.example',
      version: '0.1.0',
      reload: async () => {},
    });
    alertmanager.prepare(readConfig(CONFIG, { file: 'alertmanager.yml' })).commit();
    alertmanager.start();
    const router = new Router({ monotonic: () => env.clock.monotonic() });
    alertmanager.registerRoutes(router);
    const at = { host: '127.0.0.1', port: 0 };
    const limits = { maxConnections: 100, readTimeoutMs: 10_000 };
    listener = await env.net.serveHttp({ at, ...limits }, router.handler);
    url = `http://127.0.0.1:${listener.address.port}`;
  });

  afterAll(async () => {
    await listener.close(100);
    await alertmanager.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function amtool(...args: string[]): Promise<string> {
    const { stdout, stderr } = await run(
      'amtool',
      [`--alertmanager.url=${url}`, '--no-version-check', ...args],
      {
        timeout: 20_000,
        env: { ...process.env, HOME: directory },
      },
    );
    return stdout + stderr;
  }

  it('adds an alert and finds it by query', async () => {
    await amtool(
      'alert',
      'add',
      'Full',
      'host=h1',
      'severity=critical',
      '--annotation=summary=disk is full',
    );
    await amtool('alert', 'add', 'Slow', 'host=h1', 'severity=warning');
    expect(await amtool('alert', 'query', 'Full')).toMatch(/Full .* disk is full .*active/);
    const json = JSON.parse(
      await amtool('alert', 'query', '-o', 'json', 'alertname=Full'),
    ) as unknown;
    expect(json).toMatchObject([
      {
        labels: { alertname: 'Full', host: 'h1', severity: 'critical' },
        annotations: { summary: 'disk is full' },
        receivers: [{ name: 'hook' }],
        status: { state: 'active', silencedBy: [], inhibitedBy: [] },
      },
    ]);
    // Slow is inhibited by Full: hidden by default, shown on wish.
    expect(await amtool('alert', 'query')).not.toContain('Slow');
    expect(await amtool('alert', 'query', '-i')).toMatch(/Slow .*suppressed/);
  });

  it('adds, finds and expires a silence', async () => {
    const id = (
      await amtool(
        'silence',
        'add',
        '-c',
        'a test',
        '-a',
        'me',
        '-d',
        '1h',
        'alertname=Full',
        'host=~h.*',
      )
    ).trim();
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await amtool('silence', 'query')).toContain('a test');
    expect(await amtool('silence', 'query', 'alertname=Full')).toContain(id);
    expect(await amtool('silence', 'query', 'alertname=Other')).not.toContain(id);
    expect(await amtool('alert', 'query', '-s', 'Full')).toContain('suppressed');
    await amtool('silence', 'update', '-d', '2h', id);
    await amtool('silence', 'expire', id);
    expect(await amtool('silence', 'query')).not.toContain('a test');
    expect(await amtool('silence', 'query', '--expired')).toContain(id);
    expect(await amtool('alert', 'query', 'Full')).toMatch(/Full .*active/);
  });

  it('is told why a silence or an id is refused', async () => {
    await expect(
      amtool('silence', 'expire', '00000000-0000-4000-8000-000000000000'),
    ).rejects.toThrow(/404|not found/i);
    await expect(amtool('silence', 'add', '-c', 'x', 'host=~.*')).rejects.toThrow(/empty string/);
  });

  it('exports and imports silences', async () => {
    await amtool('silence', 'add', '-c', 'moved', 'host=h7');
    const exported = await amtool('silence', 'query', '-o', 'json', 'host=h7');
    const file = join(directory, 'silences.json');
    writeFileSync(file, exported);
    expect(await amtool('silence', 'import', file)).toMatch(/[0-9a-f-]{36}/);
  });

  it('shows the cluster and the configuration without its secrets', async () => {
    expect(await amtool('cluster', 'show')).toContain('disabled');
    const shown = await amtool('config', 'show');
    expect(shown).toContain('resolve_timeout: 5m');
    expect(shown).toContain('<secret>');
    expect(shown).not.toContain('geheim');
  });

  it('checks the configuration that we read, and finds its routes', async () => {
    const file = join(directory, 'alertmanager.yml');
    writeFileSync(file, CONFIG);
    expect(await amtool('check-config', file)).toContain('SUCCESS');
    expect(await amtool('config', 'routes', 'test', `--config.file=${file}`, 'team=db')).toContain(
      'db',
    );
  });
});
