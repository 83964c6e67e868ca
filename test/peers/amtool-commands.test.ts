import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Alertmanager, NO_CLUSTER, readConfig } from '@pollux/alertmanager';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const POLLUX = path.resolve(import.meta.dirname, '../../bin/pollux');
const isBuilt = fs.existsSync(path.resolve(import.meta.dirname, '../../apps/pollux/dist/main.js'));

/** The path of an amtool of 0.34, to compare with it too, by hand. */
const YOUNG = process.env.POLLUX_AMTOOL;
const ORIGINALS = [
  { name: "Debian's amtool", program: 'amtool', isNew: false },
  ...(YOUNG === undefined ? [] : [{ name: 'the amtool of 0.34', program: YOUNG, isNew: true }]),
];

function missing(program: string): string {
  if (!isBuilt) return ' (needs a build: npm run build)';
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return '';
  } catch {
    return ` (needs ${program}: npm run peers)`;
  }
}

const CONFIG = `
route:
  receiver: default
  routes:
  - {matchers: ['team="db"'], receiver: db, continue: true}
  - {matchers: ['team=~"d.*"'], receiver: pager}
receivers: [{name: default}, {name: db}, {name: pager}]
`;

/** Both say the same. `ID` and `ID2` are silences, `DIR` holds files. */
const SAME = `
alert
alert -o extended
alert query -s
alert query foo team=db
alert query -r d.*
alert query a=b -o json
alert add a=b c
alert add x --annotation=y
alert add x --start=now
silence
silence -o extended
silence query --expired
silence query -q
silence query --within 90m
silence query --within 3x
silence query --created-by you
silence query foo -q
silence query alertname=~foo
silence add
silence add x
silence add x -c c -d 0s
silence add x -c c --start=x
silence add x -c c --start=2027-01-01T00:00:00Z --end=2026-01-01T00:00:00Z
silence expire
silence update
silence update ID -d 0s
silence update ID -d x
silence update ID --start=x
silence update ID --start=2099-01-01T00:00:00Z
silence update ID2 --end=2099-01-02T00:00:00Z -c new
silence import DIR/notjson
silence import DIR/nosuch
silence import DIR/silences.json x
silence import -w x
cluster
cluster show -o extended
cluster -o json
config
config -o json
check-config DIR/am.yml
check-config DIR/nosuch
config routes show --config.file=DIR/am.yml
config routes test --config.file=DIR/am.yml team=db
config routes test --config.file=DIR/am.yml team=db --tree
config routes test --config.file=DIR/am.yml team=db --verify.receivers=db
config routes test --config.file=DIR/am.yml team
template render --template.glob=DIR/*.tmpl --template.text={{template"x".}}
template render --template.glob=DIR/*.tmpl --template.text={{template"y".}}
template render --template.glob=DIR/*.tmpl --template.text=x --template.type=x
template render --template.glob=DIR/*.tmpl --template.text=x --template.data=DIR/nosuch
alert --nosuch
alert -o x
alert --timeout=x
alert --timeout=1
alert --http.config.file=/nosuch
alert --date.format=Jan
--output
`;

/** What an older amtool does not know, or says in other words: refusals of the server above all. */
const SINCE_0_34 = `
alert -o json
alert query -r [
alert query a=b c
alert add
alert add a!=b
alert add x --annotation=y=~z
alert add x --start=2027-01-01T00:00:00Z --end=2026-01-01T00:00:00Z
silence -o json
silence query --id ID
silence add x -c c --annotation=a!=b
silence add x=~.* -c c
silence add x -c c --start=2019-01-01T00:00:00Z --end=2020-01-01T00:00:00Z
silence expire 00000000-0000-4000-8000-000000000000
silence update 00000000-0000-4000-8000-000000000000
config routes show
alert --enable-feature=x
`;

/**
 * Known to differ, and so not asked: `config show -o extended` and `silence update -q` of the original print pointers;
 * places in configuration errors; matchers with a broken pattern, which the original takes for the name of an alert;
 * warnings of the old grammar, which the original logs among the output; answers with a status that the API's description
 * does not have, of which ours shows the text; unknown commands, which end with a status of
 * their own and name the known ones.
 */
const rows = (text: string): readonly string[] => text.trim().split('\n');

type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

function execute(program: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TZ: 'UTC', HOME: '/nonexistent', NO_COLOR: '1' };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
  });
}

describe.each(ORIGINALS)('pollux amtool', ({ name, program, isNew }) => {
  const why = missing(program);
  const env = nodeEnv();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-amtool-'));
  let alertmanager: Alertmanager;
  let listener: Listener;
  let url = '';
  let ids: readonly string[] = [];

  beforeAll(async () => {
    if (why !== '') return;
    const write = (file: string, text: string): void =>
      fs.writeFileSync(path.join(directory, file), text);
    write('am.yml', CONFIG);
    write('t.tmpl', '{{ define "x" }}hi {{ .Status }}{{ end }}');
    write('notjson', 'hello');
    write('silences.json', '[]');
    alertmanager = new Alertmanager({
      env,
      log: Log.silent(),
      registry: new Registry(),
      cluster: NO_CLUSTER,
      storageDirectory: path.join(directory, 'data'),
      externalUrl: 'http://am.example',
      version: '0.1.0',
      reload: async () => {},
    });
    alertmanager.prepare(readConfig(CONFIG, { file: 'alertmanager.yml' })).commit();
    alertmanager.start();
    const router = new Router({ monotonic: () => env.clock.monotonic() });
    alertmanager.registerRoutes(router);
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 50, readTimeoutMs: 10_000 },
      router.handler,
    );
    url = `--alertmanager.url=http://127.0.0.1:${listener.address.port}`;
    const ours = (...args: string[]): Promise<Ran> => execute(POLLUX, ['amtool', url, ...args]);
    await ours('alert', 'add', 'foo', 'team=db', '--annotation=summary=s "q" <x>');
    await ours('alert', 'add', 'bar', '--generator-url=http://g/?a=1&b=2');
    const added = [
      await ours('silence', 'add', 'foo', 'x!=y', '-c', 'why', '-a', 'me'),
      await ours('silence', 'add', 'nope', 'z=~a.*', '-d', '2h', '-c', 'w <b>', '-a', 'you'),
      await ours('silence', 'add', 'gone', '-c', 'w'),
    ];
    ids = added.map(({ stdout }) => stdout.trim());
    await ours('silence', 'expire', ids[2] ?? '');
  }, 60_000);

  afterAll(async () => {
    if (why === '') {
      await listener.close(100);
      await alertmanager.close();
    }
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it.skipIf(why !== '').each([...rows(SAME), ...(isNew ? rows(SINCE_0_34) : [])])(
    `says and does as ${name}${why}: %s`,
    async (row) => {
      const [id = '', id2 = ''] = ids;
      const words = row
        .split(' ')
        .map((word) => word.replace('DIR', directory).replace('ID2', id2).replace('ID', id));
      const args = ['--no-version-check', url, ...words];
      const [theirs, mine] = await Promise.all([
        execute(program, args),
        execute(POLLUX, ['amtool', ...args]),
      ]);
      // The program's own name, where its file is not called amtool.
      const stderr = theirs.stderr.replace(/^amtool\w*: /m, 'amtool: ');
      expect(mine).toEqual({ ...theirs, stderr });
    },
    30_000,
  );
});
