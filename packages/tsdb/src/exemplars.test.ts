import { Labels, Matcher } from '@pollux/model';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  ALL_TIME,
  append,
  context,
  openTsdb,
  removeDirectory,
  T0,
  temporaryDirectory,
} from './testing/fixtures.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const SERIES = Labels.from({ __name__: 'requests_total' });

async function put(db: Tsdb, times: readonly number[]): Promise<void> {
  const appender = db.appender();
  const ref = appender.series(SERIES);
  for (const timestampMs of times) {
    const labels = Labels.from({ trace_id: `t${timestampMs - T0}` });
    appender.appendExemplar(ref, { labels, value: timestampMs - T0, timestampMs });
  }
  await appender.commit();
}

async function shown(db: Tsdb): Promise<number[]> {
  const sets = [[Matcher.metric('requests_total')]];
  const [series] = await db.selectExemplars(ALL_TIME, sets, context());
  return (series?.exemplars ?? []).map(({ timestampMs }) => (timestampMs ?? 0) - T0);
}

it('exemplars are kept in order, through restarts, up to their number, which may change', async () => {
  const options = { maxExemplars: 3 };
  let db = await openTsdb(directory, { options });
  await append(db, [{ labels: SERIES, timestampMs: T0, value: 1 }]);
  await put(db, [T0 + 1, T0 + 2]);
  await put(db, [T0 + 1, T0 + 3, T0 + 4]);
  expect(await shown(db)).toEqual([2, 3, 4]);
  await db.close();
  db = await openTsdb(directory, { options });
  expect(await shown(db)).toEqual([2, 3, 4]);
  db.resizeExemplars(2);
  expect(await shown(db)).toEqual([3, 4]);
  db.resizeExemplars(10);
  await put(db, [T0 + 5]);
  expect(await shown(db)).toEqual([3, 4, 5]);
  db.resizeExemplars(0);
  await put(db, [T0 + 6]);
  expect(await shown(db)).toEqual([]);
  await db.close();
});

it('an exemplar with too long a label set is refused in words', async () => {
  const db = await openTsdb(directory, { options: { maxExemplars: 3 } });
  const appender = db.appender();
  const ref = appender.series(SERIES);
  const labels = Labels.from({ trace_id: 'x'.repeat(121) });
  expect(() => appender.appendExemplar(ref, { labels, value: 1, timestampMs: T0 })).toThrow(
    'exceeds maximum of 128',
  );
  appender.rollback();
  await db.close();
});
