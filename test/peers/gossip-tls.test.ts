import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hookConfig } from '../cluster/hook.ts';
import {
  isRealInstalled,
  Member,
  type MemberKind,
  REAL_ALERTMANAGER,
  until,
} from '../cluster/member.ts';
import { freePort } from '../soak/child-process.ts';

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined;
const isReal = isRealInstalled();
const title = hasOpenssl
  ? `a cluster over TLS of ours ${isReal ? `and ${REAL_ALERTMANAGER}` : `(${REAL_ALERTMANAGER} is not installed)`}`
  : 'a cluster over TLS (skipped: openssl is not installed)';

describe.skipIf(!hasOpenssl)(title, { timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gossip-tls-'));
  const certificates = path.join(directory, 'certificates');
  const ports: number[] = [];
  let first: Member;
  let second: Member;
  let all: readonly Member[];

  beforeAll(async () => {
    mkdirSync(certificates);
    for (const ca of ['ca', 'other-ca']) makeCa(certificates, ca);
    makeCertificate(certificates, 'member', 'ca');
    makeCertificate(certificates, 'stranger', 'other-ca');
    writeFileSync(path.join(directory, 'tls.yml'), tlsConfig('member', 'ca'));
    writeFileSync(path.join(directory, 'stranger.yml'), tlsConfig('stranger', 'other-ca'));
    for (let i = 0; i < 6; i++) ports.push(await freePort());
    first = member('ours', 0);
    second = member(isReal ? 'real' : 'ours', 1);
    all = [first, second];
    await Promise.all(all.map((one) => one.start()));
  });

  afterAll(async () => {
    await Promise.all((all ?? []).map((one) => one.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  test('finds itself and shares silences, small and large, both ways', async () => {
    await agree(2);
    for (const one of all) {
      await silence(one, `small of ${one.kind}`);
      await silence(one, `large of ${one.kind} ${'words '.repeat(3_000)}`);
    }
    for (const one of all) {
      await until(`${one.kind} has all`, async () => (await one.silences()).length === 4, 8_000);
    }
  });

  test('stays whole under probes, and counts its traffic under the names of the original', async () => {
    const from = all.map(({ lines }) => lines.length);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await agree(2);
    for (const [index, one] of all.entries()) {
      expect(one.logged(/[Ss]uspect|misconfigured/, from[index])).toEqual([]);
      for (const name of [
        'packet_bytes_sent',
        'packet_bytes_received',
        'stream_connections_sent',
      ]) {
        const value = await one.metric(`alertmanager_tls_transport_${name}_total`);
        expect([name, value > 0]).toEqual([name, true]);
      }
    }
    const names = async (one: Member): Promise<string[]> => {
      const text = await (await fetch(`${one.url}/metrics`)).text();
      const found = text.match(/^# (HELP|TYPE) alertmanager_tls_transport.*$/gm) ?? [];
      return found.map((line) => line.trim()).sort();
    };
    expect(await names(first)).toEqual(await names(second));
  });

  test('keeps a stranger out and says why, on both sides', async () => {
    const from = first.lines.length;
    const stranger = member('ours', 2, 'stranger.yml');
    await stranger.start();
    try {
      await until(
        'the stranger says why',
        () => {
          return stranger.logged(/no TLS session with 127\.0\.0\.1:\d+: .*certificate/).length > 0;
        },
        15_000,
      );
      await until(
        'ours says why',
        () => {
          return first.logged(/GOSSIP|no TLS session with 127\.0\.0\.1/, from).length > 0;
        },
        15_000,
      );
      expect((await stranger.cluster()).peers.length).toBe(1);
      await agree(2);
    } finally {
      await stranger.stop();
    }
  });

  test('takes up renewed certificates without a restart', async () => {
    makeCertificate(certificates, 'renewed', 'other-ca');
    // Both authorities are known first, as one renews certificates of a running cluster.
    const both = ['ca', 'other-ca'].map((ca) => readFileSync(path.join(certificates, `${ca}.crt`)));
    writeFileSync(path.join(certificates, 'ca.crt'), Buffer.concat(both));
    if (isReal) {
      // The original reads its authorities at the start only.
      await second.stop();
      await second.start();
      await agree(2);
    }
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    for (const kind of ['crt', 'key']) {
      const [from, to] = ['renewed', 'member'].map((name) =>
        path.join(certificates, `${name}.${kind}`),
      );
      copyFileSync(from ?? '', to ?? '');
    }
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    expect(issuerOf(ports[0] ?? 0)).toContain('other-ca');
    await silence(first, 'after the renewal');
    await until('it is there', async () =>
      (await second.silences()).some(({ comment }) => comment === 'after the renewal'),
    );
    await agree(2);
  });

  test.each([
    ['tls_client_config: {}', "missing 'tls_server_config' entry"],
    ['tls_server_config: {cert_file: a}\ntls_client_config: {}', 'certificates/a'],
    ['tls_server_config: {cert_fil: a}\ntls_client_config: {}', 'cert_fil'],
    [
      'tls_server_config: {cert: a, key: b, client_auth_type: Perhaps}\ntls_client_config: {}',
      'invalid ClientAuth: Perhaps',
    ],
  ])('refuses %j at the start', async (text, why) => {
    writeFileSync(path.join(directory, 'bad.yml'), text);
    const bad = member('ours', 2, 'bad.yml');
    await expect(bad.start()).rejects.toThrow();
    expect(bad.lines.join('\n')).toContain(why.replace('certificates/', ''));
  });

  function member(kind: MemberKind, index: number, tls = 'tls.yml'): Member {
    const clusterPorts = ports.slice(0, 3);
    return new Member({
      kind,
      directory: path.join(directory, `${index}`),
      config: hookConfig('http://127.0.0.1:1', `${index}`),
      webPort: ports[3 + index] ?? 0,
      clusterPort: clusterPorts[index] ?? 0,
      peerPorts: clusterPorts.slice(0, 2).filter((_, other) => other !== index),
      flags: [
        `--cluster.tls-config=${path.join(directory, tls)}`,
        '--cluster.settle-timeout=2s',
        '--cluster.reconnect-interval=2s',
        '--log.level=debug',
      ],
    });
  }

  async function agree(count: number): Promise<void> {
    for (const one of all) {
      await until(
        `${one.kind} sees ${count}`,
        async () => {
          const { status, peers } = await one.cluster();
          return status === 'ready' && peers.length === count;
        },
        20_000,
      );
    }
  }
});

function makeCa(directory: string, name: string): void {
  openssl(directory, [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
  ]);
}

/** For the address that members are dialled at. */
function makeCertificate(directory: string, name: string, ca: string): void {
  openssl(directory, [
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  ]);
  writeFileSync(path.join(directory, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(directory, [
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${ca}.crt`,
    '-CAkey',
    `${ca}.key`,
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    `${name}.crt`,
  ]);
}

function openssl(directory: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
}

function issuerOf(port: number): string {
  const { stdout } = spawnSync('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], {
    input: '',
    encoding: 'utf8',
    timeout: 10_000,
  });
  return /^issuer=(.*)$/m.exec(stdout)?.[1] ?? stdout;
}

function tlsConfig(name: string, ca: string): string {
  return `
tls_server_config:
  cert_file: certificates/${name}.crt
  key_file: certificates/${name}.key
  client_ca_file: certificates/${ca}.crt
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  cert_file: certificates/${name}.crt
  key_file: certificates/${name}.key
  ca_file: certificates/${ca}.crt
`;
}

async function silence(on: Member, comment: string): Promise<void> {
  const now = Date.now();
  await on.post('/api/v2/silences', {
    matchers: [{ name: 'a', value: 'b', isRegex: false, isEqual: true }],
    startsAt: new Date(now).toISOString(),
    endsAt: new Date(now + 3_600_000).toISOString(),
    createdBy: 'test',
    comment,
  });
}
