import { describe, expect, it } from 'vitest';
import { Secret } from './decoders.ts';
import { isSameConfig } from './same-config.ts';

describe('decoded blocks', () => {
  it.each([
    [{ a: [1, { b: null }] }, { a: [1, { b: null }] }, true],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ s: new Secret('x') }, { s: new Secret('x') }, true],
    [{ s: new Secret('x') }, { s: new Secret('y') }, false],
    [{ s: new Secret('x') }, { s: 'x' }, false],
    [{ a: undefined }, { b: undefined }, false],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: [1, 2] }, { a: [2, 1] }, false],
    [[], {}, false],
    [{ a: null }, { a: {} }, false],
    [0, '0', false],
  ])('%j and %j are the same: %s', (a, b, expected) => {
    expect([isSameConfig(a, b), isSameConfig(b, a)]).toEqual([expected, expected]);
  });
});
