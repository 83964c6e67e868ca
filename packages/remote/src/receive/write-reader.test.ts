import { ByteWriter, DecodeError, SeededRandom } from '@pollux/base';
import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import {
  decodeLabels,
  encodeLabels,
  type NumberedRequest,
  snappyEncode,
  TimeSeriesEncoder,
  WriteReader,
  type WriteReaderOptions,
} from '../index.ts';

const ROWS = { timestampsMs: Float64Array.of(1_000), words: Uint32Array.of(0, 0x3ff00000) };

function bodyOf(sets: readonly Record<string, string>[]): Uint8Array {
  const encoder = new TimeSeriesEncoder();
  for (const set of sets) encoder.run(encodeLabels(Labels.from(set)), ROWS, 0, 1);
  return snappyEncode(encoder.bytes());
}

/** Label sets by number. */
async function namesOf({ seriesCount, seriesRefs, ...request }: NumberedRequest) {
  const { labelData, labelStarts, labelEnds } = request;
  return Array.from({ length: seriesCount }, (_, i): [number, string] => [
    seriesRefs[i]!,
    decodeLabels(labelData, labelStarts[i]!, labelEnds[i]!).labels.toMetricString(),
  ]);
}

const sets = (from: number, to: number): Record<string, string>[] =>
  Array.from({ length: to - from }, (_, i) => ({ __name__: 'm', i: String(from + i) }));

describe.each<[string, WriteReaderOptions]>([
  ['with the kernel', {}],
  ['without it', { kernel: null }],
])('a reader of write requests %s', (_, options) => {
  it('gives equal label bytes equal numbers and other ones other numbers', async () => {
    const reader = new WriteReader(new SeededRandom(1), options);
    const first = new Map(await reader.read(bodyOf(sets(0, 50)), namesOf));
    expect(new Set(first.values()).size).toBe(50);
    expect(first.has(0)).toBe(false);
    const second = new Map(await reader.read(bodyOf(sets(25, 75).reverse()), namesOf));
    for (const [number, name] of second) expect(first.get(number) ?? name).toBe(name);
    expect(new Set([...first.keys(), ...second.keys()]).size).toBe(75);
  });

  it('numbers anew, and says so, when it has given all its numbers', async () => {
    const reader = new WriteReader(new SeededRandom(1), { ...options, maxNumbers: 20 });
    const meanings = new Map<object, Map<number, string>>();
    for (let from = 0; from < 60; from += 5) {
      await reader.read(bodyOf(sets(from, from + 8)), async (request) => {
        const known = meanings.get(request.numbering) ?? new Map<number, string>();
        meanings.set(request.numbering, known);
        for (const [number, name] of await namesOf(request)) {
          expect(known.get(number) ?? name).toBe(name);
          known.set(number, name);
        }
      });
    }
    expect(meanings.size).toBeGreaterThan(3);
    for (const known of meanings.values()) expect(known.size).toBeLessThanOrEqual(20);
  });

  it('lends its columns to one request at a time, also when one fails', async () => {
    const reader = new WriteReader(new SeededRandom(1), options);
    const order: string[] = [];
    let finish = (): void => {};
    const first = reader.read(bodyOf(sets(0, 2)), async () => {
      order.push('first');
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      order.push('first is done');
      throw new Error('the user fails');
    });
    const second = reader.read(bodyOf(sets(2, 3)), async ({ seriesCount }) => {
      order.push(`second of ${seriesCount}`);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['first']);
    finish();
    await expect(first).rejects.toThrow('the user fails');
    await second;
    expect(order).toEqual(['first', 'first is done', 'second of 1']);
  });

  it('refuses malformed bodies and malformed texts of labels, however often they come', async () => {
    const reader = new WriteReader(new SeededRandom(1), options);
    const bad = new ByteWriter();
    bad.raw(Uint8Array.of(0x0a, 0x09, 0x0a, 0x07, 0x0a, 0x02, 0x61, 0xff, 0x12, 0x01, 0x62));
    const broken = Buffer.concat([bodyOf(sets(0, 1)), Uint8Array.of(0xff)]);
    for (const body of [
      snappyEncode(bad.bytes()),
      snappyEncode(bad.bytes()),
      broken,
      Buffer.alloc(0),
    ]) {
      await expect(reader.read(body, namesOf)).rejects.toThrow(DecodeError);
    }
    expect(await reader.read(bodyOf(sets(0, 1)), namesOf)).toHaveLength(1);
  });
});
