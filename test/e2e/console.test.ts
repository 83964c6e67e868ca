import { findLayout } from '@pollux/roles/up';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { complaintsOf, hasBrowser, launchBrowser, needsBrowser } from './browser.ts';

describe.skipIf(!hasBrowser)(`the console${needsBrowser}`, () => {
  const scratch = new Scratch();
  const roles: RunningRole[] = [];
  let browser: Browser;
  let page: Page;
  let gatewayUrl: string;
  let second: RunningRole;
  let complaints: string[];

  beforeAll(async () => {
    const { paired } = await findLayout(true);
    const servers = [paired.server.A, paired.alertmanager.A].map((port) => `127.0.0.1:${port}`);
    const started = await Promise.all([
      ...servers.map((address, index) => startServer(address, 'AB'[index] ?? '')),
      RunningRole.start([
        'alertmanager',
        `--config.file=${scratch.file('am.yml', 'route: {receiver: a}\nreceivers: [{name: a}]\n')}`,
        `--storage.path=${scratch.at('alertmanager')}`,
        '--cluster.listen-address=',
        '--web.listen-address=127.0.0.1:0',
      ]),
    ]);
    roles.push(...started);
    second = started[1] as RunningRole;
    const gateway = await RunningRole.start([
      'gateway',
      `--config.file=${scratch.file('gateway.yml', gatewayFile(started.map(({ url }) => url)))}`,
      `--storage.path=${scratch.at('gateway')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    roles.push(gateway);
    gatewayUrl = gateway.url;
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(10_000);
    complaints = complaintsOf(page);
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all(roles.map((role) => role.end()));
    scratch.remove();
  });

  function startServer(address: string, replica: string): Promise<RunningRole> {
    const file = scratch.file(
      `prometheus-${replica}.yml`,
      [
        'global:',
        '  scrape_interval: 1s',
        '  evaluation_interval: 1s',
        `  external_labels: {cluster: test, prometheus_replica: ${replica}}`,
        "rule_files: ['rules.yml']",
        'scrape_configs:',
        `  - {job_name: server, static_configs: [{targets: ['${address}']}]}`,
        "  - {job_name: absent, static_configs: [{targets: ['127.0.0.1:1']}]}",
        '',
      ].join('\n'),
    );
    scratch.file(
      'rules.yml',
      `groups:
  - name: instances
    rules:
      - {alert: InstanceDown, expr: up == 0, annotations: {summary: '{{ $labels.instance }} is down'}}\n`,
    );
    return RunningRole.start([
      'server',
      `--config.file=${file}`,
      `--storage.tsdb.path=${scratch.at(`data-${replica}`)}`,
      `--web.listen-address=${address}`,
    ]);
  }

  it('draws both groups and who is up', async () => {
    await page.goto(`${gatewayUrl}/`);
    expect(new URL(page.url()).pathname).toBe('/console/');
    await page.getByRole('heading', { name: 'Servers' }).waitFor();
    await page.getByRole('heading', { name: 'Alertmanagers' }).waitFor();
    for (const name of ['server-A', 'server-B', 'alertmanager-A']) {
      const card = page.getByRole('region', { name });
      await card.getByText('up', { exact: true }).waitFor();
      expect(await card.getByRole('link').getAttribute('href')).toMatch(/^http:\/\/127\.0\.0\.1:/);
    }
    await page.getByRole('region', { name: 'server-A' }).getByText('1 target up, 1 down').waitFor();
  });

  it('lists what fires', async () => {
    const row = page.getByRole('row', { name: /InstanceDown/ });
    await row.first().waitFor();
    expect(await row.first().textContent()).toContain('127.0.0.1:1 is down');
    // One alert, whichever server it was asked of.
    expect(await row.count()).toBe(1);
  });

  it('draws a query, keeps it in the address, and shows it as a table', async () => {
    await eventually('some history', 15_000, async () => {
      const [gateway] = roles.slice(-1);
      const found = await gateway?.query('count_over_time(up{job="server"}[1m]) >= 3');
      return found?.length === 1 ? true : null;
    });
    await page.getByRole('link', { name: 'Graph' }).click();
    await page.getByLabel('Expression').fill('up{job="server"}');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.locator('[data-testid=plot] canvas').waitFor();
    await page.getByLabel('Range').selectOption('5m');
    await page.locator('[data-testid=plot] canvas').waitFor();
    expect(await inkOf(page)).toBeGreaterThan(0);
    expect(new URL(page.url()).searchParams.get('g0.expr')).toBe('up{job="server"}');
    await page.getByRole('button', { name: 'Table' }).click();
    const row = page.getByRole('row', { name: /up\{.*job="server"/ });
    await row.waitFor();
    expect(await row.getByRole('cell').last().textContent()).toBe('1');
    // The address alone brings the page back.
    await page.reload();
    await row.waitFor();
    await page.goBack();
    await page.locator('[data-testid=plot] canvas').waitFor();
  });

  it.each([
    ['/query?g0.expr=up%7Bjob%3D%22server%22%7D&g0.tab=table&g0.range_input=2h', 'Graph', 'up{'],
    ['/graph?g0.expr=up%7Bjob%3D%22server%22%7D&g0.tab=1', 'Graph', 'up{'],
    ['/alerts', 'Alerts and rules', 'InstanceDown'],
    ['/rules', 'Alerts and rules', 'InstanceDown'],
    ['/targets', 'Targets', 'http://127.0.0.1:1/metrics'],
  ])("shows what Prometheus' link %s leads to", async (link, heading, text) => {
    const before = page.url();
    // At the gateway `/query` is the stores'.
    const urls = [roles[0]?.url, ...(link.startsWith('/query') ? [] : [gatewayUrl])];
    for (const url of urls) {
      await page.goto(`${url}${link}`);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await page.getByRole('cell', { name: text }).first().waitFor();
    }
    await page.goto(before);
    await page.getByRole('heading', { level: 1 }).waitFor();
  });

  it("has the alertmanagers' page below /alertmanager", async () => {
    const before = page.url();
    await page.goto(`${gatewayUrl}/alertmanager#/status`);
    await page.getByRole('heading', { level: 1, name: 'Status' }).waitFor();
    await page.getByText('as Alertmanager').waitFor();
    await page.goto(before);
  });

  it('shows the message of a query that is wrong, in place', async () => {
    const before = complaints.length;
    await page.getByLabel('Expression').fill('sum(');
    await page.getByLabel('Expression').press('Enter');
    await page
      .getByRole('alert')
      .getByText(/parse error/)
      .waitFor();
    // The browser itself tells of an answer of 400; nothing else may be said.
    expect(complaints.splice(before).filter((text) => !text.includes('400'))).toEqual([]);
  });

  it('shows a server that is stopped as down within seconds, and that it is back', async () => {
    await page.getByRole('link', { name: 'Pair' }).click();
    const card = page.getByRole('region', { name: 'server-B' });
    await card.getByText('up', { exact: true }).waitFor();
    second.signal('SIGSTOP');
    await card.getByText('down', { exact: true }).waitFor({ timeout: 8_000 });
    await card.getByText(/^last up /).waitFor();
    expect(await card.getByText(/series$/).count()).toBe(0);
    const other = page.getByRole('region', { name: 'server-A' });
    expect(await other.getByText('up', { exact: true }).count()).toBe(1);
    second.signal('SIGCONT');
    await card.getByText('up', { exact: true }).waitFor({ timeout: 8_000 });
  });

  it('never troubled the browser', () => {
    expect(complaints).toEqual([]);
  });
});

function gatewayFile(urls: readonly string[]): string {
  const [a = '', b = '', alertmanager = ''] = urls;
  return [
    'groups:',
    '  - name: servers',
    '    kind: server',
    '    members:',
    `      - {name: server-A, url: '${a}'}`,
    `      - {name: server-B, url: '${b}'}`,
    '  - name: alertmanagers',
    '    kind: alertmanager',
    '    members:',
    `      - {name: alertmanager-A, url: '${alertmanager}'}`,
    'health_interval: 500ms',
    '',
  ].join('\n');
}

/** Pixels of the plot that are neither transparent nor white nor the grid's grey: a line was drawn. */
function inkOf(page: Page): Promise<number> {
  return page.locator('[data-testid=plot] canvas').evaluate((element) => {
    const canvas = element as unknown as {
      readonly width: number;
      readonly height: number;
      getContext(kind: '2d'): {
        getImageData(x: number, y: number, w: number, h: number): { readonly data: Uint8Array };
      };
    };
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [red = 0, , blue = 0, alpha = 0] = data.subarray(i, i + 4);
      if (alpha > 200 && Math.abs(red - blue) > 60) count++;
    }
    return count;
  });
}
