import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { findLayout } from '@pollux/roles/up';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { complaintsOf, hasBrowser, launchBrowser, needsBrowser } from './browser.ts';

const run = promisify(execFile);
const USER = { username: 'anna', password: 'geheim' };
/** Of that password. */
const HASH = '$2b$04$IOt0fYxGSU3NYjlm0mhrC.U5Gqqv0kFLiuM9IeV6Tur8Qocy1rJey';
/** A folder for pictures of what is looked at, where one is named. */
const PICTURES = process.env.POLLUX_PICTURES ?? '';
const NARROW = { width: 360, height: 740 };
const WIDE = { width: 1280, height: 900 };

/**
 * From the link in a notification to a silence that the whole cluster obeys: a server, two alertmanagers in a cluster, of
 * which one lies below a path and one asks for a password, a receiver that takes what Slack would get, and Debian's amtool.
 */
describe.skipIf(!hasBrowser)(`the alertmanager's page${needsBrowser}`, () => {
  const scratch = new Scratch();
  const roles: RunningRole[] = [];
  const notified: { readonly title_link: string; readonly title: string }[] = [];
  let receiver: Server;
  /** What the receiver answers with 400, unless it is empty. */
  let refusal = '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  let server: RunningRole;
  let first: RunningRole;
  let second: RunningRole;
  /** Of the first one, with its path. */
  let at: string;

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (piece: string) => {
        body += piece;
      });
      request.on('end', () => {
        if (refusal !== '') {
          response.writeHead(400).end(refusal);
          return;
        }
        notified.push(...JSON.parse(body).attachments);
        response.end('ok');
      });
    });
    await new Promise<void>((resolve) => {
      receiver.listen(0, '127.0.0.1', resolve);
    });
    const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const { paired } = await findLayout(true);
    const gossip = [paired.gossip.A, paired.store.A];
    at = `http://127.0.0.1:${paired.alertmanager.A}/am`;
    const config = scratch.file('alertmanager.yml', alertmanagerFile(hook));
    const member = (name: string, own: number, more: readonly string[]): Promise<RunningRole> =>
      RunningRole.start([
        'alertmanager',
        `--config.file=${config}`,
        `--storage.path=${scratch.at(name)}`,
        `--cluster.peer-name=${name}`,
        `--cluster.listen-address=127.0.0.1:${gossip[own]}`,
        `--cluster.peer=127.0.0.1:${gossip[1 - own]}`,
        '--cluster.settle-timeout=3s',
        '--cluster.probe-interval=200ms',
        ...more,
      ]);
    const web = `basic_auth_users: {${USER.username}: '${HASH}'}\n`;
    [first, second] = await Promise.all([
      member('one', 0, [
        `--web.listen-address=127.0.0.1:${paired.alertmanager.A}`,
        `--web.external-url=${at}`,
      ]),
      member('two', 1, [
        '--web.listen-address=127.0.0.1:0',
        `--web.config.file=${scratch.file('web.yml', web)}`,
      ]),
    ]);
    scratch.file('rules.yml', RULES);
    const prometheus = [
      'global: {scrape_interval: 1s, evaluation_interval: 1s}',
      "rule_files: ['rules.yml']",
      `alerting: {alertmanagers: [{path_prefix: /am, static_configs: [{targets: ['127.0.0.1:${paired.alertmanager.A}']}]}]}`,
      '',
    ].join('\n');
    server = await RunningRole.start([
      'server',
      `--config.file=${scratch.file('prometheus.yml', prometheus)}`,
      `--storage.tsdb.path=${scratch.at('data')}`,
      `--web.listen-address=127.0.0.1:${paired.server.A}`,
      `--web.external-url=http://127.0.0.1:${paired.server.A}/prom`,
    ]);
    roles.push(first, second, server);
    browser = await launchBrowser();
    context = await browser.newContext({ viewport: WIDE, httpCredentials: USER });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    complaints = complaintsOf(page);
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all(roles.map((role) => role.end()));
    receiver?.close();
    scratch.remove();
  });

  async function amtool(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('amtool', [`--alertmanager.url=${at}`, ...args]);
    return stdout;
  }

  function card(name: string) {
    return page.getByRole('article', { name, exact: true });
  }

  it("is where a notification's link leads: the alert, of the receiver that was told", async () => {
    const [{ title_link: link }] = await eventually('a notification', 30_000, async () =>
      notified.length > 0 ? (notified as [(typeof notified)[0]]) : null,
    );
    expect(link).toBe(`${at}/#/alerts?receiver=the%5C.db%5C%2Bteam`);
    await page.goto(link);
    await card('DatabaseDown').getByText('db-1 does not answer').waitFor();
    expect(await page.getByLabel('Receiver').inputValue()).toBe('the\\.db\\+team');
    expect(await page.getByRole('heading', { name: '{alertname="DatabaseDown"}' }).count()).toBe(1);
    // What goes to others is not here.
    expect(await card('Quiet').count()).toBe(0);
    await page.getByLabel('Receiver').selectOption('all');
    await card('Quiet').waitFor();
    expect(await card('DatabaseDown').count()).toBe(1);
  });

  it('narrows down by matchers and by labels that are pressed, and says what is wrong', async () => {
    await page
      .getByLabel('Filter', { exact: true })
      .fill('{severity!~"page|none", alertname=~"Q.*"}');
    await page.keyboard.press('Enter');
    await card('DatabaseDown').waitFor({ state: 'detached' });
    await card('Quiet').waitFor();
    await page.getByLabel('Filter', { exact: true }).fill('');
    await page.getByRole('button', { name: 'Filter' }).click();
    await card('DatabaseDown').getByRole('link', { name: 'severity="page"' }).click();
    await card('Quiet').waitFor({ state: 'detached' });
    expect(await page.getByLabel('Filter', { exact: true }).inputValue()).toBe('{severity="page"}');
    const before = complaints.length;
    await page.getByLabel('Filter', { exact: true }).fill('severity=~"("');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').first().waitFor();
    expect(await page.getByRole('alert').first().textContent()).toMatch(/\(/);
    // The browser itself tells of an answer of 400; nothing else may be said.
    expect(complaints.splice(before).filter((text) => !text.includes('400'))).toEqual([]);
    await page.goBack();
    await card('DatabaseDown').waitFor();
  });

  it("leads to the alert's expression at its server", async () => {
    await card('DatabaseDown').getByRole('link', { name: 'Source' }).click();
    await page.waitForURL(/\/prom\/console\/graph/);
    expect(new URL(page.url()).port).toBe(new URL(server.url).port);
    expect(await page.getByLabel('Expression').inputValue()).toBe('vector(1) > 0');
    await page.getByRole('cell', { name: '1', exact: true }).waitFor();
    await page.goBack();
    await card('DatabaseDown').waitFor();
  });

  it('says why an alert is notified', async () => {
    await card('DatabaseDown').getByRole('button', { name: 'Why?' }).click();
    const why = card('DatabaseDown').getByRole('region', { name: 'Why' });
    await why
      .getByText(/slack\[0\]: the group was notified .* with this alert as firing/)
      .waitFor();
    await why.getByText(/notified already/).waitFor();
    await card('DatabaseDown').getByRole('button', { name: 'Why?' }).click();
    expect(await why.count()).toBe(0);
  });

  it('acknowledges, which is shown to all, and takes it back', async () => {
    await card('DatabaseDown').getByRole('button', { name: 'Acknowledge' }).click();
    await card('DatabaseDown').getByLabel('Owner').fill('Anna');
    await card('DatabaseDown').getByLabel('Note').fill('looking');
    await page.keyboard.press('Enter');
    await card('DatabaseDown').getByText('Acknowledged by Anna: looking').waitFor();
    await card('DatabaseDown').getByRole('button', { name: 'Take back' }).click();
    await card('DatabaseDown').getByText('Acknowledged by Anna').waitFor({ state: 'detached' });
  });

  it('makes a silence of an alert, says what is missing, and shows who has it', async () => {
    await card('DatabaseDown').getByRole('link', { name: 'Silence', exact: true }).click();
    await page.getByRole('heading', { name: 'New silence' }).waitFor();
    expect(await page.getByLabel(/^Value/).count()).toBe(3);
    const reach = page.getByRole('region', { name: 'Affected alerts' });
    await reach.getByText('It reaches 1 firing alert of the.db+team.').waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Say why.').waitFor();
    // Who acknowledged before is known.
    expect(await page.getByLabel('Creator').inputValue()).toBe('Anna');
    await page.getByLabel('Comment').fill('<b>disk</b> is exchanged');
    await page.getByLabel('Duration').fill('x');
    await page.getByText(/Write days, hours/).waitFor();
    await page.getByLabel('Duration').fill('1h 30m');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'Silence', exact: true }).waitFor();
    await page.getByText('2 of 2 members').waitFor();
    await page.getByText('<b>disk</b> is exchanged').waitFor();
    const [silence] = JSON.parse(await amtool('silence', 'query', '-o', 'json'));
    expect(silence).toMatchObject({ createdBy: 'Anna', status: { state: 'active' } });
    expect(page.url()).toContain(silence.id);
    expect(Date.parse(silence.endsAt) - Date.parse(silence.startsAt)).toBeLessThan(5_401_000);
    await page.getByRole('link', { name: 'Alerts', exact: true }).click();
    await card('Quiet').waitFor();
    expect(await card('DatabaseDown').count()).toBe(0);
    await page.getByLabel('silenced').check();
    await card('DatabaseDown').getByRole('link', { name: 'silenced' }).click();
    expect(page.url()).toContain(silence.id);
  });

  it('changes a silence, ends it after asking, and makes it anew', async () => {
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByRole('heading', { name: 'Edit silence' }).waitFor();
    await page.getByRole('button', { name: 'Remove matcher 3' }).click();
    await page.getByLabel('Operator 2').selectOption('=~');
    await page.getByLabel('Value 2').fill('db-1|db-2');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Silence', exact: true }).waitFor();
    expect(await amtool('silence', 'query')).toContain('instance=~"db-1|db-2"');
    await page.getByRole('link', { name: 'Silences' }).click();
    await page.getByRole('link', { name: 'active (1)' }).waitFor();
    await page.getByRole('button', { name: /^Expire the silence of/ }).click();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByRole('button', { name: /^Expire the silence of/ }).click();
    await page.keyboard.press('Enter');
    await page.getByText('No active silences.').waitFor();
    expect(await amtool('silence', 'query', '-q')).toBe('');
    await page.getByRole('link', { name: 'expired (2)' }).click();
    await page.getByRole('link', { name: /^Recreate .*db-1\|db-2/ }).click();
    await page.getByRole('button', { name: 'Create again' }).click();
    await page.getByRole('heading', { name: 'Silence', exact: true }).waitFor();
    const ids = (await amtool('silence', 'query', '-q')).trim().split('\n');
    expect(ids).toHaveLength(1);
    expect(page.url()).toContain(ids[0]);
    await amtool('silence', 'expire', ids[0] ?? '');
    await page.getByText('expired', { exact: true }).waitFor();
  });

  it('shows what was sent, what was given up, and sends that again', async () => {
    await page.getByRole('link', { name: 'Notifications' }).click();
    const row = page.getByRole('row', {
      name: /the\.db\+team slack\[0\].*DatabaseDown.*1 firing.*sent/,
    });
    await row.first().waitFor();
    refusal = 'invalid_blocks';
    await first.post(
      '/am/api/v2/alerts',
      JSON.stringify([{ labels: { alertname: 'Refused', severity: 'page' } }]),
      { 'content-type': 'application/json' },
    );
    await eventually('a dead letter', 20_000, async () => {
      const { text } = await first.get('/am/api/v3/dead-letters');
      return JSON.parse(text).length === 1 ? true : null;
    });
    await page.reload();
    const letter = page.getByRole('article', { name: 'To the.db+team slack[0]' });
    await letter.getByText(/refused.*invalid_blocks/).waitFor();
    await letter.getByRole('button', { name: 'Send again' }).click();
    await letter.getByRole('alert').waitFor();
    refusal = '';
    await letter.getByRole('button', { name: 'Send again' }).click();
    await letter.waitFor({ state: 'detached' });
    expect(notified.at(-1)?.title).toContain('Refused');
    await page.getByRole('link', { name: 'failed', exact: true }).click();
    await page
      .getByRole('row', { name: /Refused.*failed/ })
      .first()
      .waitFor();
    await page
      .getByRole('row', { name: /DatabaseDown/ })
      .first()
      .waitFor({ state: 'detached' });
  });

  it("opens every link of Alertmanager's own page", async () => {
    const [silence] = JSON.parse(await amtool('silence', 'query', '--expired', '-o', 'json'));
    const matcher = encodeURIComponent('{alertname="DatabaseDown",env!~"a b|c"}');
    const places: readonly (readonly [link: string, heading: string])[] = [
      ['', 'Alerts'],
      ['#/alerts', 'Alerts'],
      [`#/alerts?silenced=true&inhibited=true&muted=true&active=false&filter=${matcher}`, 'Alerts'],
      ['#/alerts?customGrouping=true&group=severity', 'Alerts'],
      ['#/silences', 'Silences'],
      [`#/silences?filter=${matcher}`, 'Silences'],
      [`#/silences/${silence.id}`, 'Silence'],
      [`#/silences/${silence.id}/edit`, 'Edit silence'],
      [`#/silences/edit/${silence.id}`, 'Edit silence'],
      ['#/silences/new', 'New silence'],
      ['#/silences/new?comment=a%20b', 'New silence'],
      [`#/silences/new?filter=${matcher}`, 'New silence'],
      ['#/notifications', 'Notifications'],
      ['#/status', 'Status'],
      ['#/settings', 'Settings'],
      ['#/none/of/them', 'There is no such page'],
    ];
    for (const [link, heading] of places) {
      await page.goto('about:blank');
      await page.goto(`${at}/${link}`);
      await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
      expect(await page.getByRole('alert').count(), link).toBe(0);
    }
    await page.goto(`${at}/#/silences/new?filter=${matcher}&comment=a+b`);
    expect(await page.getByLabel('Operator 2').inputValue()).toBe('!~');
    expect(await page.getByLabel('Value 2').inputValue()).toBe('a b|c');
    expect(await page.getByLabel('Comment').inputValue()).toBe('a b');
    await page.goto(`${at}/#/alerts?customGrouping=true&group=severity`);
    await page.getByRole('heading', { name: '{severity="page"}' }).waitFor();
    await page.goto(`${at}/#/silences/nobody`);
    const before = complaints.length;
    await page.getByText('There is no silence nobody').waitFor();
    expect(complaints.splice(before).filter((text) => !/40[04]|422/.test(text))).toEqual([]);
  });

  it('shows the cluster and the configuration, without secrets', async () => {
    await page.goto(`${at}/#/status`);
    await page.getByRole('row', { name: /^one / }).waitFor();
    await page.getByRole('row', { name: /^two / }).waitFor();
    expect(await page.locator('pre').textContent()).toContain('api_url: <secret>');
  });

  it('takes no label, annotation or link for more than text', async () => {
    const evil = '<img src=x onerror="document.title=1">';
    const answer = await first.post(
      '/am/api/v2/alerts',
      JSON.stringify([
        {
          labels: { alertname: evil, __proto__: evil, severity: 'none' },
          annotations: {
            runbook: 'javascript:document.title=1',
            page: 'https://runbooks.example/a',
          },
          generatorURL: 'javascript:document.title=1',
        },
      ]),
      { 'content-type': 'application/json' },
    );
    expect(answer.status, answer.text).toBe(200);
    await page.goto(`${at}/#/alerts?filter=severity%3Dnone`);
    await card(evil).waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await card(evil).getByRole('link', { name: 'Source' }).count()).toBe(0);
    expect(
      await card(evil)
        .getByRole('link', { name: /javascript/ })
        .count(),
    ).toBe(0);
    expect(
      await card(evil)
        .getByRole('link', { name: 'https://runbooks.example/a' })
        .getAttribute('rel'),
    ).toBe('noreferrer');
    await card(evil).getByRole('link', { name: 'Silence', exact: true }).click();
    await page.getByLabel('Value 1').waitFor();
    expect(await page.title()).toBe('New silence – Alertmanager');
  });

  it('asks for the password of the web configuration, and works behind it', async () => {
    expect((await fetch(`${second.url}/`)).status).toBe(401);
    expect((await fetch(`${second.url}/assets/x.js`)).status).toBe(401);
    await page.goto(`${second.url}/#/status`);
    await page.getByRole('row', { name: /^one / }).waitFor();
  });

  it("is served below the path of the external address, beside the role's other paths", async () => {
    for (const above of ['/', '/am']) {
      const answer = await fetch(first.url + above, { redirect: 'manual' });
      expect([answer.status, answer.headers.get('location')]).toEqual([302, '/am/']);
    }
    const { status, headers, text } = await first.get('/am/');
    expect([status, headers.get('x-content-type-options')]).toEqual([200, 'nosniff']);
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('cache-control')).toBe('no-cache');
    expect(text).not.toMatch(/<script>|<style|\son\w+=/);
    const [script] = /assets\/[\w.-]+\.js/.exec(text) ?? [];
    const asset = await first.get(`/am/${script}`);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect(asset.headers.get('content-encoding')).toBe('gzip');
    expect((await first.get('/am/assets/..%2findex.html')).status).toBe(404);
    expect((await first.get('/am/-/healthy')).status).toBe(200);
    expect((await first.get('/am/-/ready')).status).toBe(200);
    expect((await first.get('/am/none')).status).toBe(404);
  });

  it.each(['light', 'dark'] as const)(
    'can be used by all, in its %s colours and at 360 px',
    async (theme) => {
      await page.emulateMedia({ colorScheme: theme });
      const [silence] = JSON.parse(await amtool('silence', 'query', '--expired', '-o', 'json'));
      for (const [name, link] of [
        ['alerts', '#/alerts'],
        ['silences', '#/silences?state=expired'],
        ['silence', `#/silences/${silence.id}`],
        ['new', '#/silences/new?filter=%7Balertname%3D%22DatabaseDown%22%7D'],
        ['notifications', '#/notifications'],
        ['status', '#/status'],
        ['settings', '#/settings'],
      ] as const) {
        await page.goto('about:blank');
        await page.goto(`${at}/${link}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForLoadState('networkidle');
        if (name === 'alerts')
          await card('DatabaseDown').getByRole('button', { name: 'Why?' }).click();
        for (const viewport of [WIDE, NARROW]) {
          await page.setViewportSize(viewport);
          expect(await seriousFaults(page), `${name} ${theme} ${viewport.width}`).toEqual([]);
          const wider = 'document.documentElement.scrollWidth - window.innerWidth';
          expect(await page.evaluate(wider), `${name} ${viewport.width}`).toBeLessThanOrEqual(0);
          if (PICTURES !== '') {
            mkdirSync(PICTURES, { recursive: true });
            const file = path.join(PICTURES, `${name}-${theme}-${viewport.width}.png`);
            await page.screenshot({ path: file, fullPage: true });
          }
        }
      }
      await page.setViewportSize(WIDE);
    },
  );

  it('never troubled the browser', () => {
    expect(complaints).toEqual([]);
  });
});

/** What axe finds that keeps somebody out. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

const RULES = `groups:
  - name: databases
    rules:
      - alert: DatabaseDown
        expr: vector(1) > 0
        labels: {instance: db-1, severity: page}
        annotations: {summary: db-1 does not answer}
      - alert: Quiet
        expr: vector(1)
        labels: {severity: info}
`;

function alertmanagerFile(hook: string): string {
  return `global: {slack_api_url: '${hook}'}
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 0s
  group_interval: 2s
  routes:
    - {matchers: ['alertname="Refused"'], receiver: the.db+team, group_interval: 1h}
    - {matchers: ['severity="page"'], receiver: the.db+team}
receivers:
  - name: nobody
  - name: the.db+team
    slack_configs: [{channel: '#db', send_resolved: true}]
`;
}
