import { createHmac } from 'node:crypto';
import { SeededRandom } from '@pollux/base';
import { NodeClock, NodeFiles, NodeNet, NodeWorkers } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../../config/config.ts';
import { DeliveryError } from '../../../errors.ts';
import { NotificationTemplates } from '../../../template/templates.ts';
import { sampleAlert, sampleNotification } from '../../../testing/sample-notification.ts';
import { SmtpDouble, type SmtpDoubleOptions } from '../../../testing/smtp-double.ts';
import { Robots } from '../robots/robots.ts';
import { addressList } from './address-list.ts';
import { email } from './email.ts';
import { encodedHeader, quotedPrintable } from './message.ts';

const net = new NodeNet();
const open: SmtpDouble[] = [];
afterEach(async () => {
  for (const double of open.splice(0)) await double.close();
});

const DEFAULTS = {
  to: 'a@example.org',
  html: "''",
  text: 'plain',
  headers: '{Subject: S}',
};

type WorldOptions = SmtpDoubleOptions & {
  /** Of the global block, beside what all have. */
  readonly global?: string;
};

/** `block` adds to the defaults, or replaces them. */
async function world(block: string, { global = '', ...options }: WorldOptions = {}) {
  const kept = Object.entries(DEFAULTS)
    .filter(([name]) => !block.includes(`, ${name}: `))
    .map(([name, value]) => `${name}: ${value}`);
  const written = [...kept, ...(block === '' ? [] : [block.slice(2)])].join(', ');
  const double = new SmtpDouble(options);
  open.push(double);
  const port = await double.start(net);
  const config = readConfig(
    `
global: {smtp_smarthost: '127.0.0.1:${port}', smtp_from: 'am@example.org', smtp_require_tls: false, ${global}}
route: {receiver: r}
receivers: [{name: r, email_configs: [{${written}}]}]
`,
    { file: 'am.yml' },
  );
  const [integration] = config.receivers[0]!.integrations;
  if (integration?.kind !== 'email') throw new Error('no mail');
  const env = {
    clock: new NodeClock(),
    random: new SeededRandom(1),
    files: new NodeFiles(),
    net,
    workers: new NodeWorkers(),
  };
  const sender = email(integration, {
    env,
    log: Log.silent(),
    registry: new Registry(),
    variables: {},
    hostname: 'host.example',
    receiver: { groupName: 'r', integration: 'email', index: 0 },
    templates: NotificationTemplates.load(env, [], '.'),
    resolvePath: (name) => name,
    userAgent: 'x',
    robots: new Robots(env.clock, env.random),
  });
  const notification = sampleNotification([
    sampleAlert({ alertname: 'Down' }, { summary: '<b> & "x"' }),
  ]);
  const send = () => sender.send(notification, new AbortController().signal, new Map());
  return { double, send };
}

describe('a mail', () => {
  it('goes to all addresses, with headers, both alternatives and no line that breaks the dialogue', async () => {
    const { double, send } = await world(
      `, to: 'b@example.org, "B, C" <c@example.org>', hello: me.example, text: ".dot\\nü", html: '<p>{{ .CommonAnnotations.summary }}</p>', headers: {x-team: 'tëam', Subject: '{{ .CommonLabels.alertname }}'}`,
    );
    await send();
    const [mail] = double.mails;
    expect(mail?.commands).toEqual([
      'EHLO me.example',
      'MAIL FROM:<am@example.org>',
      'RCPT TO:<b@example.org>',
      'RCPT TO:<c@example.org>',
      'DATA',
    ]);
    expect(double.commands.at(-1)).toBe('QUIT');
    const data = mail!.data;
    for (const header of [
      'Subject: Down\r\n',
      'To: b@example.org, "B, C" <c@example.org>\r\n',
      'From: am@example.org\r\n',
      'X-Team: =?utf-8?q?t=C3=ABam?=\r\n',
      'MIME-Version: 1.0\r\n',
    ]) {
      expect(data).toContain(header);
    }
    expect(data).toMatch(/^Message-Id: <\d+\.[0-9a-f]{32}@host\.example>\r$/m);
    expect(data).toMatch(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r$/m);
    expect(data).toContain('\r\n\r\n..dot\r\n=C3=BC\r\n');
    expect(data).toContain('<p>&lt;b&gt; &amp; &#34;x&#34;</p>');
    expect(data.indexOf('text/plain')).toBeLessThan(data.indexOf('text/html'));
  });

  it('threads by the group and the day', async () => {
    const { double, send } = await world(', threading: {enabled: true, thread_by_date: none}');
    await send();
    expect(double.mails[0]?.data).toMatch(
      /^References: (<alert-[0-9a-f]{16}-@alertmanager>)\r\nIn-Reply-To: \1\r$/m,
    );
  });

  const AUTH =
    ', auth_username: u, auth_password: hidden-pw, auth_secret: hidden-secret, auth_identity: i';

  it('authenticates by the first mechanism of the server that is known', async () => {
    const { double, send } = await world(AUTH, { extensions: ['AUTH XOAUTH PLAIN LOGIN'] });
    await send();
    expect(double.commands[1]).toBe(
      `AUTH PLAIN ${Buffer.from('i\0u\0hidden-pw').toString('base64')}`,
    );
  });

  it('authenticates by LOGIN and by CRAM-MD5', async () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    const login = await world(AUTH, {
      extensions: ['AUTH LOGIN'],
      answers: {
        'AUTH LOGIN': `334 ${encode('Username:')}`,
        [encode('u')]: `334 ${encode('Password:')}`,
        [encode('hidden-pw')]: '235 ok',
      },
    });
    await login.send();
    const cram = await world(AUTH, {
      extensions: ['AUTH CRAM-MD5'],
      answers: {
        'AUTH CRAM-MD5': `334 ${encode('<42@double>')}`,
        [encode('u ').slice(0, 2)]: '235 ok',
      },
    });
    await cram.send();
    const digest = createHmac('md5', 'hidden-secret').update('<42@double>').digest('hex');
    expect(cram.double.commands).toContain(encode(`u ${digest}`));
    expect(login.double.mails).toHaveLength(1);
  });

  it("authenticates with the block's own secret beside a file of the global block, which is shown", async () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    const { double, send } = await world(', auth_username: u, auth_secret: hidden-secret', {
      global: 'smtp_auth_secret_file: /nowhere',
      extensions: ['AUTH CRAM-MD5'],
      answers: {
        'AUTH CRAM-MD5': `334 ${encode('<42@double>')}`,
        [encode('u ').slice(0, 2)]: '235 ok',
      },
    });
    await send();
    const digest = createHmac('md5', 'hidden-secret').update('<42@double>').digest('hex');
    expect(double.commands).toContain(encode(`u ${digest}`));
  });

  it.each([
    [', require_tls: true', {}, 'does not advertise the STARTTLS extension', true],
    [AUTH, { extensions: ['AUTH GSSAPI'] }, 'unknown auth mechanism: GSSAPI', true],
    [
      AUTH,
      { extensions: ['AUTH PLAIN'], answers: { 'AUTH PLAIN': '535 no' } },
      'auth: 535 no',
      true,
    ],
    ['', { answers: { 'RCPT TO': '550 nobody' } }, 'send RCPT command: 550 nobody', true],
    ['', { answers: { greeting: '421 busy' } }, 'create SMTP client: 421 busy', true],
    ['', { answers: { greeting: '<html>' } }, 'none of SMTP', true],
    [", to: 'nonsense'", {}, "parse 'to' addresses", false],
    [", from: 'a@x.org, b@x.org'", {}, "exactly one 'from' address (got: 2)", false],
    [", text: '{{ .Nope }}'", {}, "can't evaluate field Nope", false],
    [", headers: {Subject: '{{ .Nope }}'}", {}, "can't evaluate field Nope", false],
  ] as const)('%s %j fails: %s', async (block, options, message, retry) => {
    const { send, double } = await world(block, options);
    const error = await send().then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DeliveryError);
    expect(error).toMatchObject({ retry, message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/hidden/);
    expect(double.mails).toEqual([]);
  });

  it('cannot be given commands by an alert', async () => {
    const { double, send } = await world(
      `, headers: {Subject: "a\\r\\nBcc: x@y"}, to: "a@x.org\\r\\nRCPT TO:<b@x.org>"`,
    );
    await expect(send()).rejects.toThrow("parse 'to' addresses");
    expect(double.commands.join()).not.toContain('b@x.org');
  });
});

describe('the parts of a mail', () => {
  it.each([
    ['a@b.org', ['a@b.org']],
    ['a@b.org, c@d.org', ['a@b.org', 'c@d.org']],
    ['"A, B" <a@b.org>,C <c@d.org>', ['a@b.org', 'c@d.org']],
    ['"q u"@b.org', ['"q u"@b.org']],
  ])('addresses of %j', (text, addresses) => {
    expect(addressList(text)).toEqual(addresses);
  });

  it.each(['', 'a', 'a@', '"x <a@b.org>', 'a b@c.org', 'a@b.org\r\nX'])('%j is none', (text) => {
    expect(() => addressList(text)).toThrow('mail: ');
  });

  it('quoted-printable has short lines and loses nothing', () => {
    const text = `${'ü='.repeat(60)} \nshort\t\n`;
    const encoded = quotedPrintable(text);
    for (const line of encoded.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76);
    const decoded = encoded
      .replace(/=\r\n/g, '')
      .replaceAll('\r\n', '\n')
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
    expect(Buffer.from(decoded, 'latin1').toString()).toBe(text);
    expect(encoded).toContain('=20\r\nshort=09\r\n');
  });

  it('headers hold no line end and words of at most 75 characters', () => {
    expect(encodedHeader('plain =?x?=')).toBe('plain =?x?=');
    const encoded = encodedHeader(`a\r\nBcc: x ${'字'.repeat(40)}`);
    for (const line of encoded.split('\r\n ')) expect(line.length).toBeLessThanOrEqual(75);
    expect(encoded.replaceAll('\r\n ', '')).not.toMatch(/[\r\n]/);
    expect(encodedHeader('a\nb')).toBe('=?utf-8?q?a=0Ab?=');
  });
});
