import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExemplarRing, type StoredExemplar } from './exemplar-ring.ts';

const ALL = { minMs: 0, maxMs: 1e15 };

function item(series: string, timestampMs: number, value = timestampMs, id = 'x'): StoredExemplar {
  const exemplar = { labels: Labels.from({ id }), value, timestampMs };
  return { seriesLabels: Labels.from({ __name__: series }), exemplar, timestampMs };
}

function shown(ring: ExemplarRing, range = ALL): Record<string, number[]> {
  const series = ring.select(range, [[]]);
  return Object.fromEntries(
    series.map(({ labels, exemplars }) => [
      labels.get('__name__'),
      exemplars.map(({ timestampMs }) => timestampMs ?? -1),
    ]),
  );
}

describe('the ring of exemplars', () => {
  it('refuses what is older than the newest of its series, and at one time what is smaller', () => {
    const ring = new ExemplarRing(10);
    expect(ring.add(item('a', 5), 0)).toBe('taken');
    expect(ring.add(item('a', 5), 0)).toBe('duplicate');
    expect(ring.add(item('a', 4), 0)).toBe('out-of-order');
    expect(ring.add(item('a', 5, 4), 0)).toBe('out-of-order');
    expect(ring.add(item('a', 5, 6), 0)).toBe('taken');
    expect(ring.add(item('a', 5, 6, 'w'), 0)).toBe('out-of-order');
    expect(ring.add(item('a', 5, 6, 'y'), 0)).toBe('taken');
    expect(ring.add(item('b', 1), 0)).toBe('taken');
    expect(shown(ring)).toEqual({ a: [5, 5, 5], b: [1] });
  });

  it('takes older ones inside the window, each time once, in their place', () => {
    const ring = new ExemplarRing(10);
    for (const at of [10, 20, 30]) ring.add(item('a', at), 0);
    expect(ring.add(item('a', 15), 16)).toBe('taken');
    expect(ring.add(item('a', 15, 7), 16)).toBe('duplicate');
    expect(ring.add(item('a', 14), 16)).toBe('out-of-order');
    expect(ring.add(item('a', 5), 100)).toBe('taken');
    expect(shown(ring)).toEqual({ a: [5, 10, 15, 20, 30] });
    expect(shown(ring, { minMs: 10, maxMs: 20 })).toEqual({ a: [10, 15, 20] });
  });

  it('knows one that came without a time again at any time', () => {
    const ring = new ExemplarRing(4);
    const timeless = (timestampMs: number): StoredExemplar => {
      const { exemplar, ...rest } = item('a', timestampMs, 3);
      return { ...rest, exemplar: { ...exemplar, timestampMs: null } };
    };
    expect(ring.add(timeless(5), 0)).toBe('taken');
    expect(ring.add(timeless(9), 0)).toBe('duplicate');
    expect(shown(ring)).toEqual({ a: [5] });
  });

  it('keeps none with no room', () => {
    const ring = new ExemplarRing(0);
    expect(ring.add(item('a', 5), 0)).toBe('disabled');
    ring.resize(1);
    expect(ring.add(item('a', 5), 0)).toBe('taken');
    ring.resize(0);
    expect(ring.count).toBe(0);
    expect(shown(ring)).toEqual({});
  });

  it('holds exactly the newest that came, through evictions and changes of size', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        series: fc.constantFrom('a', 'b', 'c'),
        at: fc.nat(60),
      }),
      fc.record({ kind: fc.constant('resize' as const), capacity: fc.nat(7) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const ring = new ExemplarRing(5);
        let capacity = 5;
        let model: StoredExemplar[] = [];
        for (const action of steps) {
          if (action.kind === 'resize') {
            ring.resize(action.capacity);
            capacity = action.capacity;
          } else {
            const added = item(action.series, action.at);
            if (ring.add(added, 20) === 'taken') model.push(added);
          }
          model = capacity === 0 ? [] : model.slice(-capacity);
          expect(ring.count).toBe(model.length);
          expect(ring.firstTimestampMs).toBe(model[0]?.timestampMs ?? 0);
          const expected: Record<string, number[]> = {};
          for (const { seriesLabels, timestampMs } of model) {
            const name = seriesLabels.get('__name__') ?? '';
            expected[name] = [...(expected[name] ?? []), timestampMs].sort((x, y) => x - y);
          }
          expect(shown(ring)).toEqual(expected);
          expect(ring.seriesCount).toBe(Object.keys(expected).length);
        }
      }),
    );
  });
});
