import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseGatewayConfig } from '../config.ts';

const GROUPS = `groups:
  - {name: one, kind: server, members: [{name: a, url: http://a}]}
  - {name: two, kind: server, members: [{name: b, url: http://b}]}
  - {name: three, kind: server, members: [{name: c, url: http://c}]}
  - {name: stores, kind: store, members: [{name: s, url: http://s}]}
`;

function refusalOf(shards: string): string {
  try {
    parseGatewayConfig(`${GROUPS}${shards}`, 'gateway.yml');
    return 'taken';
  } catch (error) {
    return String(error);
  }
}

describe('shards of gateway.yml', () => {
  it('are all groups of servers', () => {
    const { shards } = parseGatewayConfig(`${GROUPS}shards: [one, two, three]\n`, 'gateway.yml');
    expect(shards).toEqual(['one', 'two', 'three']);
  });

  it.each([
    ['', /gateway\.yml:3.*more than one group of kind "server"; name them in shards/],
    ['shards: [one, two, four]\n', /gateway\.yml:6:20: shards\[2\]: there is no group "four"/],
    ['shards: [one, two, stores]\n', /shards\[2\]: group "stores" is of kind "store"/],
    ['shards: [one, two, three, one]\n', /shards\[3\]: "one" is named twice/],
    ['shards: [one, two]\n', /gateway\.yml:6.*group "three" of kind "server" is missing/],
    [
      'shards: [one, two, three]\nlong_term: {}\n',
      /gateway\.yml:7.*long_term: is not read for shards/,
    ],
  ])('refuse %j', (shards, refusal) => {
    expect(refusalOf(shards)).toMatch(refusal);
  });

  it('are shown in the documentation as they are', () => {
    const page = readFileSync(new URL('../../../../docs/gateway.md', import.meta.url), 'utf8');
    const [, , example = ''] = page.split('```yaml\n').map((part) => part.split('```', 1)[0]);
    const { groups, shards } = parseGatewayConfig(example, 'gateway.yml');
    expect(shards).toEqual(groups.map(({ name }) => name));
  });

  it('are at least two', () => {
    const one =
      'groups: [{name: one, kind: server, members: [{name: a, url: http://a}]}]\nshards: [one]\n';
    expect(() => parseGatewayConfig(one, 'gateway.yml')).toThrow(
      /shards: needs at least two groups/,
    );
  });
});
