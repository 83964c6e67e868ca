import { SeededRandom, Slices, VirtualClock } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  context,
  openTsdb,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { HeadSeriesWalk } from './head-series-walk.ts';
import { KnownSelections } from './known-selections.ts';
import { SeriesTable } from './series-table.ts';

/** More than are sorted at once. */
const MANY = 4_500;

function indexed(table: SeriesTable, value: number): number {
  const symbols = Uint32Array.from(['id', `v${value}`], (part) => table.symbols.idOf(part));
  const slot = table.slotOfSymbols(symbols, symbols.length);
  table.index(slot);
  return table.refs[slot]!;
}

describe('a selection that is too large to be sorted at once', () => {
  let table: SeriesTable;
  let selections: KnownSelections;
  let refs: Uint32Array;
  /** Between two slices of sorting. */
  let meanwhile: () => void;
  let slices: Slices;

  beforeEach(() => {
    table = new SeriesTable(createHashKey(new SeededRandom(7)));
    selections = new KnownSelections(table);
    refs = Uint32Array.from({ length: MANY }, (_, i) => indexed(table, (i * 7_919) % MANY));
    meanwhile = () => {};
    slices = new Slices(new VirtualClock());
    Object.defineProperty(slices, 'isOver', { get: () => true });
    slices.pause = async () => meanwhile();
  });

  async function readAll(): Promise<void> {
    expect(selections.find('all')).toBeNull();
    const atOnce = (): Uint32Array => expect.unreachable('sorted at once');
    expect(selections.add('all', refs, atOnce)).toBeNull();
    await new HeadSeriesWalk(table, refs, selections.keeper('all')).prepare(slices);
  }

  it('is known in order, without labels, once a reader has sorted it', async () => {
    await readAll();
    const known = selections.find('all')!;
    const labelsOf = (ref: number): Labels => table.labelsOf(table.slotOf(ref));
    const sorted = [...refs].sort((a, b) => labelsOf(a).compare(labelsOf(b)));
    expect([...known.refs]).toEqual(sorted);
    expect(known.labels).toBeNull();
    const walked: number[] = [];
    const walk = new HeadSeriesWalk(table, known);
    for (; walk.labels !== null; walk.advance()) {
      expect(walk.labels).toEqual(labelsOf(walk.ref));
      walked.push(walk.ref);
    }
    expect(walked).toEqual(sorted);
  });

  it('is not known when series came or went while it was sorted', async () => {
    let next = MANY;
    meanwhile = () => {
      indexed(table, next++);
      // Another query has seen what the head is now.
      selections.find('other');
    };
    await readAll();
    expect(next).toBeGreaterThan(MANY);
    expect(selections.find('all')).toBeNull();
    meanwhile = () => {
      table.remove(table.slotOf(refs[next++ - MANY]!));
      selections.find('other');
    };
    await readAll();
    expect(selections.find('all')).toBeNull();
  });

  it('leaves out what was gone before, and is forgotten with the next series', async () => {
    table.remove(table.slotOf(refs[17]!));
    await readAll();
    expect(selections.find('all')!.refs).toHaveLength(MANY - 1);
    expect(selections.find('all')!.refs).not.toContain(refs[17]);
    indexed(table, MANY);
    expect(selections.find('all')).toBeNull();
  });

  it('is not kept when it is larger than all that may be kept', () => {
    expect(selections.find('all')).toBeNull();
    selections.keeper('all')(new Uint32Array(300_000).fill(refs[0]!));
    expect(selections.find('all')).toBeNull();
    selections.keeper('all')(new Uint32Array(200_000).fill(refs[0]!));
    expect(selections.find('all')!.refs).toHaveLength(200_000);
  });
});

describe('a head of many series', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => removeDirectory(directory));

  it('gives all of them in order each time they are asked for, with those that have come since', async () => {
    const db = await openTsdb(directory);
    const labels = (i: number): Labels => Labels.from({ __name__: 'm', id: `${(i * 7) % 5_000}` });
    const write = (from: number, to: number) =>
      append(
        db,
        Array.from({ length: to - from }, (_, i) => ({
          labels: labels(from + i),
          timestampMs: T0,
          value: from + i,
        })),
      );
    const read = async (): Promise<readonly string[]> => {
      const source = db.select(
        {
          range: { minMs: T0 - 1, maxMs: T0 + 1 },
          matchers: [new Matcher('__name__', '=', 'm')],
          hints: NO_HINTS,
          sorted: true,
        },
        context(),
      );
      const found: string[] = [];
      for (let batch = await source.next(); batch !== null; batch = await source.next())
        for (const series of batch) found.push(`${series.labels} ${series.values[0]}`);
      return found;
    };
    const expected = (count: number): readonly string[] =>
      Array.from({ length: count }, (_, i) => i)
        .sort((a, b) => labels(a).compare(labels(b)))
        .map((i) => `${labels(i)} ${i}`);
    await write(0, MANY);
    for (let round = 0; round < 2; round++) expect(await read()).toEqual(expected(MANY));
    await write(MANY, MANY + 1);
    for (let round = 0; round < 2; round++) expect(await read()).toEqual(expected(MANY + 1));
    await db.close();
  });
});
