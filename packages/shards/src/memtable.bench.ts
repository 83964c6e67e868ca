/**
 * Reading all columns of a memtable: one after the other, and many in one pass, in the order in which a query asks (which is not that of
 * writing). Run with `node --conditions=@pollux/source --import tsx` and this file; arguments: columns (1,000), rows of each (1,440).
 */
import { Memtable, type NumberColumn } from './memtable.ts';

const [COLUMNS = 1_000, ROWS = 1_440] = process.argv.slice(2).map(Number);
const ROUNDS = 7;
const BATCH = 512;
const STRIDE = 8;

const memtable = new Memtable();
for (let i = 0; i < ROWS; i++) {
  for (let column = 0; column < COLUMNS; column++)
    memtable.append(column, i * 60_000, 0, i, column);
}
const columns: NumberColumn[] = [];
for (let first = 0; first < STRIDE; first++) {
  for (let column = first; column < COLUMNS; column += STRIDE)
    columns.push({ column, kind: 'float' });
}

report('one after the other', () => {
  let rows = 0;
  for (const { column, kind } of columns) rows += memtable.read(column, kind, memtable.rows)!.count;
  return rows;
});
report('many in one pass', () => {
  let rows = 0;
  for (let i = 0; i < columns.length; i += BATCH) {
    const found = memtable.readMany(columns.slice(i, i + BATCH), memtable.rows, memtable.rows);
    for (const data of found.values()) rows += data!.count;
  }
  return rows;
});

function report(what: string, read: () => number): void {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const startMs = performance.now();
    if (read() !== memtable.rows) throw new Error(`${what}: rows are missing`);
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  const median = times[ROUNDS >> 1]!;
  process.stdout.write(
    `${what}: ${median.toFixed(0)} ms, ${((median * 1e6) / memtable.rows).toFixed(0)} ns a row\n`,
  );
}
