import type { Env } from '@pollux/base';
import { wordsOf } from '@pollux/model';
import type { FieldKind } from '@pollux/storage';
import type { Catalogue, ColumnRef } from './catalogue.ts';
import type { Memtable } from './memtable.ts';
import { replaySegment } from './wal/wal.ts';
import type { ColumnSymbols, RecordSink } from './wal/wal-record.ts';

/** Brings the log of a group back into its memtable. */
export class GroupReplay implements RecordSink {
  readonly #catalogue: Catalogue;
  readonly #memtable: Memtable;
  readonly #newestMs: Map<string, number>;
  readonly #scratch = new Float64Array(1);
  readonly #words = wordsOf(this.#scratch);
  #columns: ColumnRef[] = [];
  #replicas: string[] = [];

  constructor(catalogue: Catalogue, memtable: Memtable, newestMs: Map<string, number>) {
    this.#catalogue = catalogue;
    this.#memtable = memtable;
    this.#newestMs = newestMs;
  }

  /** Replays the segments in order, yielding between records; returns what had to be repaired. */
  *run(env: Env, directory: string, segments: readonly number[]): Generator<void, string[], void> {
    const problems: string[] = [];
    for (const segment of segments) {
      this.#columns = [];
      this.#replicas = [];
      const problem = yield* replaySegment(env, directory, segment, this);
      if (problem !== null) problems.push(problem);
    }
    return problems;
  }

  symbol(text: string): number {
    return this.#catalogue.names.symbol(text);
  }

  define({ series: symbols, field, kind, replica }: ColumnSymbols): void {
    const catalogue = this.#catalogue;
    const series = catalogue.seriesOfSymbols(symbols, (symbols.length - 1) / 2);
    catalogue.fieldKind(series, field, kind);
    this.#columns.push(catalogue.column(series, catalogue.columnClass(field, kind, replica)));
    this.#replicas.push(catalogue.names.text(replica));
  }

  kindOf(column: number): FieldKind | null {
    const ref = this.#columns[column];
    return ref === undefined ? null : this.#catalogue.kindOf(ref);
  }

  number(column: number, ms: number, nanos: number, low: number, high: number): void {
    const ref = this.#columns[column]!;
    this.#memtable.append(ref, ms, nanos, low, high);
    this.#catalogue.setHasData(ref, true);
    const replica = this.#replicas[column]!;
    if (ms > (this.#newestMs.get(replica) ?? Number.NEGATIVE_INFINITY))
      this.#newestMs.set(replica, ms);
  }

  text(column: number, ms: number, nanos: number, text: string): void {
    this.#scratch[0] = this.#memtable.addText(text);
    this.number(column, ms, nanos, this.#words[0]!, this.#words[1]!);
  }
}
