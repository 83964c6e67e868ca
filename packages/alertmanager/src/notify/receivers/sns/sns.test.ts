import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AwsDouble } from '../../../testing/aws-double.ts';
import { TestNode } from '../../../testing/world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ACCOUNTS = { AKID: { secretKey: 'hidden-own' }, OTHER: { secretKey: 'hidden-other' } };

type Setting = {
  /** Of the `sigv4:` block. */
  readonly sigv4?: string;
  readonly block?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Files of a home of its own. */
  readonly files?: Readonly<Record<string, string>>;
};

function start({ sigv4 = '', block = '', variables = {}, files = {} }: Setting) {
  const home = mkdtempSync(join(tmpdir(), 'pollux-aws-'));
  cleanups.push(() => rmSync(home, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  const inHome = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value.replace('HOME/', `${home}/`)]),
  );
  const node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 5m, repeat_interval: 4h}
receivers: [{name: r, sns_configs: [{topic_arn: 'arn:t', message: 'é & {{ .Status }}', sigv4: {${sigv4}}, ${block}}]}]
`,
    settings: {
      variables: {
        AWS_CONFIG_FILE: join(home, 'config'),
        AWS_SHARED_CREDENTIALS_FILE: join(home, 'credentials'),
        ...inHome,
      },
    },
  });
  cleanups.push(async () => {
    await node.close();
    node.removeDirectory();
  });
  const aws = new AwsDouble(ACCOUNTS);
  node.net.endpoint = aws.endpoint;
  const told = async (...alerts: readonly string[]) => {
    for (const alertname of alerts) await node.fire({ labels: { alertname }, endsIn: 7200 });
    await node.advance(2);
    return aws.done;
  };
  return { node, aws, told };
}

const REGION = 'region: eu-west-1';
const IN_REGION = { AWS_REGION: 'eu-west-1' };

describe('a message to SNS is signed so that the service, which knows the secret, takes it', () => {
  it.each<readonly [string, Setting, readonly string[]]>([
    [
      'keys of the configuration, before those of the environment',
      {
        sigv4: `${REGION}, access_key: AKID, secret_key: hidden-own`,
        variables: { AWS_ACCESS_KEY_ID: 'OTHER', AWS_SECRET_ACCESS_KEY: 'hidden-other' },
      },
      ['Publish as AKID'],
    ],
    [
      'an address with a path that is encoded',
      {
        sigv4: `${REGION}, access_key: AKID, secret_key: hidden-own`,
        block: "api_url: 'https://sns.example:8443/a%20b/c(d)'",
      },
      ['Publish as AKID'],
    ],
    [
      'keys and region of the environment',
      {
        variables: {
          ...IN_REGION,
          AWS_ACCESS_KEY_ID: 'AKID',
          AWS_SECRET_ACCESS_KEY: 'hidden-own',
        },
      },
      ['Publish as AKID'],
    ],
    [
      'a profile that the configuration names, with its region, before the environment',
      {
        sigv4: 'profile: alerts',
        variables: { AWS_ACCESS_KEY_ID: 'OTHER', AWS_SECRET_ACCESS_KEY: 'hidden-other' },
        files: {
          config: '[profile alerts]\nregion = eu-west-1 # near\ns3 =\n  region = nowhere\n',
          credentials:
            '; ours\n[alerts]\naws_access_key_id=AKID\naws_secret_access_key = hidden-own\n',
        },
      },
      ['Publish as AKID'],
    ],
    [
      'the default profile, where nothing else is said; credentials win over config',
      {
        sigv4: REGION,
        files: {
          config: '[default]\naws_access_key_id = OTHER\naws_secret_access_key = wrong\n',
          credentials: '[default]\naws_access_key_id = AKID\naws_secret_access_key = hidden-own\n',
        },
      },
      ['Publish as AKID'],
    ],
    [
      'the profile that the environment names',
      {
        sigv4: REGION,
        variables: { AWS_PROFILE: 'p' },
        files: {
          credentials: '[p]\naws_access_key_id = OTHER\naws_secret_access_key = hidden-other\n',
        },
      },
      ['Publish as OTHER'],
    ],
    [
      'a role of the configuration, taken on with keys of the configuration',
      {
        sigv4: `${REGION}, access_key: AKID, secret_key: hidden-own, role_arn: 'arn:role', external_id: e`,
      },
      ['AssumeRole arn:role as AKID', 'Publish as LENT1'],
    ],
    [
      'a role of a profile, by way of two others, and one of the configuration on top',
      {
        sigv4: `${REGION}, profile: top, role_arn: 'arn:last'`,
        files: {
          config:
            '[profile top]\nrole_arn = arn:top\nsource_profile = middle\n[profile middle]\nrole_arn = arn:middle\nsource_profile = base\n',
          credentials: '[base]\naws_access_key_id = AKID\naws_secret_access_key = hidden-own\n',
        },
      },
      [
        'AssumeRole arn:middle as AKID',
        'AssumeRole arn:top as LENT1',
        'AssumeRole arn:last as LENT2',
        'Publish as LENT3',
      ],
    ],
    [
      'a role of a profile that is its own source',
      {
        sigv4: `${REGION}, profile: p`,
        files: {
          credentials:
            '[p]\nrole_arn = arn:p\nsource_profile = p\naws_access_key_id = AKID\naws_secret_access_key = hidden-own\n',
        },
      },
      ['AssumeRole arn:p as AKID', 'Publish as LENT1'],
    ],
    [
      'a role of a profile with keys of the environment',
      {
        sigv4: `${REGION}, profile: p`,
        variables: { AWS_ACCESS_KEY_ID: 'OTHER', AWS_SECRET_ACCESS_KEY: 'hidden-other' },
        files: { config: '[profile p]\nrole_arn = arn:p\ncredential_source = Environment\n' },
      },
      ['AssumeRole arn:p as OTHER', 'Publish as LENT1'],
    ],
    [
      'a web identity (Kubernetes)',
      {
        sigv4: REGION,
        variables: { AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/token', AWS_ROLE_ARN: 'arn:pod' },
        files: { token: 'hidden-jwt\n' },
      },
      ['AssumeRoleWithWebIdentity arn:pod', 'Publish as LENT1'],
    ],
    [
      'a container',
      {
        sigv4: REGION,
        variables: {
          AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/1',
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: 'HOME/container',
        },
        files: { container: 'hidden-container-token' },
      },
      ['Publish as LENT1'],
    ],
    ['the role of an instance', { sigv4: REGION }, ['Publish as LENT1']],
  ])('%s', async (_, setting, expected) => {
    const { node, aws, told } = start(setting);
    aws.webToken = 'hidden-jwt';
    expect(await told('Down')).toEqual(expected);
    expect(await node.results()).toMatchObject([{ result: 'sent' }]);
    expect(aws.forms.at(-1)?.get('Message')).toBe('é & firing');
  });

  it('with borrowed credentials, which are kept until shortly before their end', async () => {
    const { node, aws, told } = start({ sigv4: REGION });
    await told('A', 'B');
    await node.advance(3_200);
    await told('C');
    await node.advance(200);
    await told('D');
    expect(aws.done).toEqual([
      'Publish as LENT1',
      'Publish as LENT1',
      'Publish as LENT1',
      'Publish as LENT2',
    ]);
  });

  it('with keys that were replaced in their file a moment ago', async () => {
    const keys = (id: string, secret: string) =>
      `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;
    const directory = mkdtempSync(join(tmpdir(), 'pollux-aws-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'credentials');
    writeFileSync(file, keys('AKID', 'hidden-own'));
    const { told } = start({ sigv4: REGION, variables: { AWS_SHARED_CREDENTIALS_FILE: file } });
    await told('A');
    writeFileSync(file, keys('OTHER', 'hidden-other'));
    expect(await told('B')).toEqual(['Publish as AKID', 'Publish as OTHER']);
  });

  it('unless the secret is another one: the double refuses it, so that the tests above can fail', async () => {
    const { node, told } = start({
      sigv4: `${REGION}, access_key: AKID, secret_key: hidden-wrong`,
    });
    expect(await told('Down')).toEqual(['SignatureDoesNotMatch']);
    expect(await node.results()).toMatchObject([{ result: 'failed' }]);
  });
});

it('asks where the environment says, and never the metadata service when it is told not to', async () => {
  const { node } = start({
    variables: {
      ...IN_REGION,
      AWS_ACCESS_KEY_ID: 'AKID',
      AWS_SECRET_ACCESS_KEY: 'hidden-own',
      AWS_ENDPOINT_URL_STS: 'http://sts.local/',
      AWS_ENDPOINT_URL: 'http://all.local',
    },
    sigv4: "role_arn: 'arn:r'",
  });
  await node.fire({ labels: { alertname: 'Down' }, endsIn: 60 });
  await node.advance(2);
  expect(node.net.deliveries.map(({ url }) => url)).toEqual([
    'http://sts.local/',
    'http://all.local/',
  ]);
  const without = start({ sigv4: REGION, variables: { AWS_EC2_METADATA_DISABLED: 'true' } });
  await without.told('Down');
  expect(without.node.net.deliveries).toEqual([]);
  expect(without.node.logged.join('\n')).toContain('no AWS credentials: give sigv4.access_key');
});

it.each([
  ['[profile p]\nsso_session = s\n', 'sso_session of profile p is not supported'],
  ['[profile p]\ncredential_process = x\n', 'credential_process of profile p is not supported'],
  ['', 'failed to get shared config profile, p'],
  [
    '[profile p]\nrole_arn = a\nsource_profile = q\n[profile q]\nrole_arn = a\nsource_profile = p\n',
    'too many profiles',
  ],
  ['[profile p]\nweb_identity_token_file = /x\n', 'needs the role that it stands for'],
])('says why a profile gives no credentials: %j', async (config, message) => {
  const { node, told } = start({ sigv4: `${REGION}, profile: p`, files: { config } });
  await told('Down');
  expect(node.net.deliveries).toEqual([]);
  expect(node.logged.join('\n')).toContain(message);
});

it('sends a container its token in the clear to nobody else', async () => {
  const { node, told } = start({
    sigv4: REGION,
    variables: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://elsewhere.example/',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'hidden-container-token',
    },
  });
  await told('Down');
  expect(node.net.deliveries).toEqual([]);
  expect(node.logged.join('\n')).toContain('AWS_CONTAINER_CREDENTIALS_FULL_URI must be https');
});

it.each<readonly [string, Setting]>([
  ['a role', { sigv4: `${REGION}, access_key: AKID, secret_key: hidden-own, role_arn: 'arn:r'` }],
  ['an instance', { sigv4: REGION }],
  [
    'a web identity',
    {
      sigv4: REGION,
      variables: { AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/token', AWS_ROLE_ARN: 'arn:pod' },
      files: { token: 'hidden-jwt' },
    },
  ],
  [
    'a container',
    {
      sigv4: REGION,
      variables: {
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/c',
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'hidden-container-token',
      },
    },
  ],
])('shows no secret of %s, whichever service quotes what it was given', async (_, setting) => {
  const isQuoting = ['sts', 'sns', '169'];
  for (const quoting of isQuoting) {
    const { node, aws, told } = start(setting);
    aws.webToken = 'hidden-jwt';
    node.net.endpoint = (delivery) => {
      const { url, headers, body } = delivery;
      const quoted = `refused ${url} ${JSON.stringify(headers)} ${body}`;
      if (!new URL(url).hostname.startsWith(quoting)) return aws.endpoint(delivery);
      return { status: 400, body: `<Message>${quoted}</Message>` };
    };
    await told('Down');
    await node.advance(20);
    const paths = ['/api/v2/status', '/api/v2/pollux/notifications', '/metrics', '/api/v3/history'];
    const answers = await Promise.all(paths.map((path) => node.request('GET', path)));
    const shown = [...node.logged, ...answers.map(({ text }) => text)].join('\n');
    expect(shown).not.toContain('hidden-');
  }
});
