import { describe, expect, it } from 'vitest';
import { parseGatewayConfig } from './config.ts';

describe('gateway.yml', () => {
  it.each([
    ['groups: []', 'groups: needs at least one group'],
    [
      "{groups: [{name: s, kind: server, members: [{name: a, url: 'http://a'}]}], long_term: {}}",
      'long_term: needs a group of kind "store"',
    ],
    ['groups:\n  - {name: s, kind: server, members: []}', 'needs at least one member'],
    [
      'groups:\n  - name: s\n    kind: server\n    members: [{name: a, url: "ftp://x"}]',
      'gateway.yml:4:30',
    ],
    [
      'groups:\n  - name: s\n    kind: servers\n    members: []',
      'use one of server, alertmanager, store',
    ],
    ['groop: []', 'gateway.yml:1:1: unknown field "groop"'],
  ])('refuses %j with place and remedy', (text, message) => {
    expect(() => parseGatewayConfig(text, 'gateway.yml')).toThrow(message);
  });
});
