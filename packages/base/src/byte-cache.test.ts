import { describe, expect, it } from 'vitest';
import { ByteCache } from './byte-cache.ts';

const page = (bytes: number): Uint8Array => new Uint8Array(bytes);

describe('the cache of pages', () => {
  it('lets what was not used of late go when its bytes are over the limit', () => {
    const cache = new ByteCache(100);
    const file = cache.addFile();
    cache.put(file, 1, page(40));
    cache.put(file, 2, page(40));
    expect(cache.get(file, 1)).toBeDefined();
    cache.put(file, 3, page(20));
    expect(cache.bytes).toBe(100);
    cache.put(file, 4, page(1));
    expect(cache.get(file, 2)).toBeUndefined();
    expect([1, 3, 4].map((number) => cache.get(file, number)?.length)).toEqual([40, 20, 1]);
    // One that alone is over the limit drives all others out and goes with the next.
    cache.put(file, 5, page(500));
    expect([cache.bytes, cache.get(file, 1)]).toEqual([500, undefined]);
    cache.put(file, 6, page(1));
    expect(cache.bytes).toBe(1);
  });

  it('tells files apart, forgets one, and counts what it had and had not', () => {
    const cache = new ByteCache(1_000);
    const [one, other] = [cache.addFile(), cache.addFile()];
    cache.put(one, 0, page(10));
    cache.put(one, 7, page(20));
    cache.put(other, 0, page(30));
    expect(cache.get(other, 7)).toBeUndefined();
    expect(cache.get(other, 0)?.length).toBe(30);
    cache.forget(one, 8);
    expect([cache.bytes, cache.get(one, 0), cache.get(one, 7)]).toEqual([30, undefined, undefined]);
    expect([cache.hits, cache.misses]).toEqual([1, 3]);
  });
});
