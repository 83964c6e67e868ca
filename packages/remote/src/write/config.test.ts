import { parseYaml, strictContext } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { NotSupportedError, remoteReadConfigs, remoteWriteConfigs } from '../index.ts';

function write(yaml: string) {
  return remoteWriteConfigs(parseYaml(yaml, 'p.yml'), 'remote_write', strictContext());
}

describe('remote_write settings', () => {
  it('have the defaults of Prometheus', () => {
    expect(write('- url: http://x/w')[0]).toMatchObject({
      name: 'b83276',
      remoteTimeoutMs: 30_000,
      sendExemplars: false,
      sendNativeHistograms: false,
      queue: {
        capacity: 10_000,
        maxShards: 50,
        minShards: 1,
        maxSamplesPerSend: 2_000,
        batchSendDeadlineMs: 5_000,
        minBackoffMs: 30,
        maxBackoffMs: 5_000,
        retryOnHttp429: false,
        sampleAgeLimitMs: 0,
      },
      metadata: { send: true, sendIntervalMs: 60_000, maxSamplesPerSend: 2_000 },
    });
  });

  it('are read whole', () => {
    const [config] = write(`
- url: https://x/w
  name: far
  remote_timeout: 10s
  headers: {X-Scope: a}
  send_exemplars: true
  basic_auth: {username: u, password: p}
  queue_config: {capacity: 5, max_samples_per_send: 100, max_shards: 2, retry_on_http_429: true}
  metadata_config: {send: false}
  write_relabel_configs: [{action: Drop, regex: x, source_labels: [__name__]}]`);
    expect(config).toMatchObject({
      name: 'far',
      headers: { 'x-scope': 'a' },
      queue: { capacity: 100, maxShards: 2, retryOnHttp429: true },
      metadata: { send: false },
    });
    expect(config?.writeRelabelSteps).toHaveLength(1);
  });

  it.each([
    ['- name: x', 'p.yml:1:3: remote_write[0]: missing field "url"'],
    ['- url: ftp://x', 'p.yml:1:8: remote_write[0].url: "ftp://x" is no http or https URL'],
    ['- url: http://x\n  headers: {Authorization: x}', 'authorization header must be changed via'],
    ['- url: http://x\n  headers: {Content-Type: x}', 'Content-Type is a reserved header'],
    [
      '- url: http://x\n- url: http://x',
      'p.yml:2:3: remote_write[1]: found multiple remote write configs',
    ],
    [
      '- url: http://x\n  queue_config: {max_shards: 1, min_shards: 2}',
      'max_shards must not be below min_shards',
    ],
    ['- url: http://x\n  queue_config: {capacity: 0}', 'capacity must be 1 or more'],
    ['- url: http://x\n  remote_timeout: soon', 'p.yml:2:19: remote_write[0].remote_timeout'],
    ['- url: http://x\n  queue_config: {odd: 1}', 'unknown field "odd"'],
    [
      '- url: http://x\n  write_relabel_configs: [{action: hashmod, target_label: x}]',
      'non-zero modulus',
    ],
    [
      '- url: http://x\n  write_relabel_configs: [{action: labeldrop, separator: x}]',
      "labeldrop action requires only 'regex'",
    ],
    [
      '- url: http://x\n  write_relabel_configs: [{action: drop, regex: "("}]',
      'error parsing regexp',
    ],
  ])('are refused with place and reason: %j', (yaml, message) => {
    expect(() => write(yaml)).toThrow(message);
  });

  it('say how the endpoint is reached', () => {
    const [config] = write(
      '- url: http://x\n  proxy_url: http://p\n  oauth2: {client_id: i, client_secret: s, token_url: "http://t"}',
    );
    expect(config?.client.proxy_url.reveal()).toBe('http://p');
    expect(config?.client.oauth2).toMatchObject({ client_id: 'i', token_url: 'http://t' });
  });

  it.each([
    ['sigv4: {}', 'sigv4'],
    ['azuread: {cloud: x}', 'azuread'],
    ['round_robin_dns: true', 'round_robin_dns'],
    ['protobuf_message: io.prometheus.write.v2.Request', 'protobuf_message'],
  ])('say what is not supported yet: %s', (line, what) => {
    const load = () => write(`- url: http://x\n  ${line}`);
    expect(load).toThrow(NotSupportedError);
    expect(load).toThrow(
      new RegExp(`^p.yml:2:\\d+: remote_write\\[0\\]\\.${what}.*not supported yet`),
    );
  });
});

describe('remote_read settings', () => {
  it('have the defaults of Prometheus', () => {
    const yaml = '- url: http://x/r\n  required_matchers: {a: b}';
    const [config] = remoteReadConfigs(parseYaml(yaml, 'p.yml'), 'remote_read', strictContext());
    expect(config).toMatchObject({
      remoteTimeoutMs: 60_000,
      readRecent: false,
      filterExternalLabels: true,
    });
    expect(config?.requiredMatchers.map(String)).toEqual(['a="b"']);
  });
});
