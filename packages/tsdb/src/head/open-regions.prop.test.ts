import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenRegions, REGION_BYTES } from './open-regions.ts';
import { offsetOf, SlabPool, slabIndexOf } from './slabs.ts';

const SLAB_BYTES = 64 * 1024;

type Region = { ref: number; sizeClass: number; readonly mark: number };

/** A pool with regions, and what is in them by a naive account. */
class Model {
  readonly pool = new SlabPool(SLAB_BYTES);
  readonly regions = new OpenRegions(this.pool);
  readonly held: Region[] = [];
  #marks = 0;

  take(sizeClass: number): void {
    const region = { ref: this.regions.allocate(sizeClass), sizeClass, mark: ++this.#marks };
    this.held.push(region);
    this.#bytesOf(region).fill(region.mark & 255);
  }

  free(at: number): void {
    const [region] = this.held.splice(at % this.held.length, 1);
    if (region !== undefined) this.regions.release(region.ref, region.sizeClass);
  }

  enlarge(at: number): void {
    const region = this.held[at % this.held.length]!;
    if (region.sizeClass + 1 === REGION_BYTES.length) return;
    const used = REGION_BYTES[region.sizeClass]!;
    region.ref = this.regions.enlarge(region.ref, region.sizeClass, used);
    region.sizeClass++;
    expect([...new Set(this.#bytesOf(region).subarray(0, used))]).toEqual([region.mark & 255]);
    this.#bytesOf(region).fill(region.mark & 255);
  }

  check(): void {
    const ranges = this.held.map(({ ref, sizeClass }) => {
      expect(ref).toBeGreaterThan(0);
      const start = slabIndexOf(ref) * SLAB_BYTES + offsetOf(ref);
      expect(offsetOf(ref) + REGION_BYTES[sizeClass]!).toBeLessThanOrEqual(SLAB_BYTES);
      return [start, start + REGION_BYTES[sizeClass]!] as const;
    });
    ranges.sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < ranges.length; i++) {
      expect(ranges[i]![0]).toBeGreaterThanOrEqual(ranges[i - 1]![1]);
    }
    for (const region of this.held) {
      expect([...new Set(this.#bytesOf(region))]).toEqual([region.mark & 255]);
    }
  }

  #bytesOf({ ref, sizeClass }: Region): Uint8Array {
    const start = offsetOf(ref);
    return this.pool.slabOf(ref).bytes.subarray(start, start + REGION_BYTES[sizeClass]!);
  }
}

describe('regions of open chunks', () => {
  it('never overlap and keep what is in them, whatever comes, grows and goes', () => {
    const step = fc.tuple(fc.constantFrom('take', 'many', 'free', 'fewer', 'enlarge'), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const model = new Model();
        for (const [kind, n] of steps) {
          if (kind === 'take') model.take(n % REGION_BYTES.length);
          else if (kind === 'many')
            for (let i = 0; i < 40; i++) model.take(n % REGION_BYTES.length);
          else if (model.held.length === 0) continue;
          else if (kind === 'free') model.free(n);
          else if (kind === 'enlarge') model.enlarge(n);
          else for (let i = n % model.held.length; i > 0; i--) model.free(n + i);
        }
        model.check();
        while (model.held.length > 0) model.free(0);
        // Everything is given back: others can have as many slabs as there are without a new one.
        const { count } = model.pool;
        for (let i = 0; i < count; i++) model.pool.take();
        expect(model.pool.count).toBe(count);
      }),
      { numRuns: 60 },
    );
  });

  it('leave nothing behind when all chunks grow together', () => {
    const pool = new SlabPool(1024 * 1024);
    const regions = new OpenRegions(pool);
    let refs = Array.from({ length: 5_000 }, () => regions.allocate(0));
    for (let sizeClass = 0; sizeClass + 1 < REGION_BYTES.length; sizeClass++) {
      refs = refs.map((ref) => regions.enlarge(ref, sizeClass, 8));
      const needed = 5_000 * REGION_BYTES[sizeClass + 1]!;
      // A page of 16 KiB is filled up to less than a region; one slab may be begun, one page of each size is.
      expect(pool.count * 1024 * 1024).toBeLessThan(needed * 1.08 + 2 * 1024 * 1024);
    }
  });
});
