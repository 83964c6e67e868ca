import type { Files } from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { clientSettings, type HttpConfig, httpConfig } from './index.ts';

function read(yaml: string): HttpConfig {
  return httpConfig(parseYaml(yaml, 'a.yml'), 'http_config', strictContext());
}

/** Files that hold what they are told; a missing one throws as the disk does. */
function files(content: Readonly<Record<string, string>>): Files {
  return {
    readFile: (path: string) => {
      const text = content[path];
      if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
      return Buffer.from(text);
    },
  } as Partial<Files> as Files;
}

function settings(
  yaml: string,
  content: Readonly<Record<string, string>> = {},
): ReturnType<typeof clientSettings> {
  return clientSettings(read(yaml), files(content), (name) => `/etc/${name}`);
}

describe('client settings', () => {
  it('send each method of authentication, from files as they are at that moment', () => {
    const basic = `Basic ${Buffer.from('u:p:x').toString('base64')}`;
    expect(settings('basic_auth: {username: u, password: "p:x"}').headers).toEqual({
      authorization: basic,
    });
    expect(
      settings('basic_auth: {username_file: u, password_file: p}', {
        '/etc/u': 'u\n',
        '/etc/p': ' p:x\n',
      }).headers,
    ).toEqual({ authorization: basic });
    expect(settings('authorization: {credentials: t}').headers).toEqual({
      authorization: 'Bearer t',
    });
    expect(settings('authorization: {type: "  ", credentials: t}').headers).toEqual({
      authorization: 'Bearer t',
    });
    expect(
      settings('authorization: {type: Token, credentials_file: t}', { '/etc/t': 't\n' }).headers,
    ).toEqual({ authorization: 'Token t' });
    expect(settings('bearer_token: t').headers).toEqual({ authorization: 'Bearer t' });
    expect(settings('bearer_token_file: t', { '/etc/t': 't' }).headers).toEqual({
      authorization: 'Bearer t',
    });
    expect(() => settings('bearer_token_file: none')).toThrow('ENOENT');
    expect(settings('')).toEqual({ headers: {} });
  });

  it('send headers from values, secrets and files', () => {
    expect(
      settings('http_headers: {X-A: {values: [a, b], secrets: [c], files: [d]}}', {
        '/etc/d': 'd\n',
      }).headers,
    ).toEqual({ 'x-a': 'a, b, c, d' });
  });

  it('set up TLS', () => {
    const yaml =
      'tls_config: {ca: A, cert_file: c, key_file: k, server_name: s, insecure_skip_verify: true, min_version: TLS12, max_version: TLS13}';
    expect(settings(yaml, { '/etc/c': 'C', '/etc/k': 'K' }).tls).toEqual({
      ca: 'A',
      certificate: 'C',
      key: 'K',
      serverName: 's',
      insecureSkipVerify: true,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
    });
    expect(settings('tls_config: {}').tls).toEqual({ insecureSkipVerify: false });
  });
});

describe('client settings that contradict themselves', () => {
  it.each([
    [
      'basic_auth: {username: u}\nauthorization: {credentials: hunter2}',
      'at most one of basic_auth, authorization & bearer_token',
    ],
    [
      'authorization: {credentials: hunter2}\nbearer_token: hunter2',
      'at most one of basic_auth, authorization & bearer_token',
    ],
    [
      'bearer_token: hunter2\nbearer_token_file: f',
      'at most one of bearer_token & bearer_token_file',
    ],
    [
      'basic_auth: {password: hunter2, password_file: f}',
      'at most one of basic_auth password & password_file',
    ],
    [
      'basic_auth: {username: u, username_file: f}',
      'at most one of basic_auth username & username_file',
    ],
    [
      'authorization: {type: " Basic ", credentials: hunter2}',
      'authorization type cannot be set to "basic"',
    ],
    [
      'authorization: {credentials: hunter2, credentials_file: f}',
      'at most one of authorization credentials & credentials_file',
    ],
    [
      'http_headers: {Authorization: {values: [hunter2]}}',
      'setting header "Authorization" is not allowed',
    ],
    ['tls_config: {ca: hunter2, ca_file: f}', 'at most one of ca and ca_file'],
    ['tls_config: {cert: c}', 'exactly one of key or key_file'],
    ['tls_config: {key: hunter2}', 'exactly one of cert or cert_file'],
    ['tls_config: {min_version: TLS14}', '"TLS14" is not allowed; use one of'],
    ['basic_auth: {user: hunter2}', 'unknown field "user"'],
    ['basic_auth: [hunter2]', 'must be a map'],
    ['oauth2: {client_secret: hunter2}', 'oauth2 client_id must be configured'],
  ])('are refused with place and reason, never with a secret: %j', (yaml, reason) => {
    let message = '';
    try {
      read(yaml);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/^a\.yml:\d+:\d+: http_config/);
    expect(message).toContain(reason);
    expect(message).not.toContain('hunter2');
  });
});
