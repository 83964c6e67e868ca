import { describe, expect, it } from 'vitest';
import { unescapeLabelName } from './escaped-name.ts';

describe('a label name in a URL', () => {
  const CASES: readonly (readonly [escaped: string, name: string])[] = [
    ['plain', 'plain'],
    ['U__a__b', 'a_b'],
    ['U__http_2e_status', 'http.status'],
    ['U___1f600_', '😀'],
    ['U__bad_zz_', 'U__bad_zz_'],
    ['U__open_2e', 'U__open_2e'],
    ['U___d800_', 'U___d800_'],
  ];
  for (const [escaped, name] of CASES) {
    it(`${escaped} is ${name}`, () => expect(unescapeLabelName(escaped)).toBe(name));
  }
});
