import * as path from 'node:path';
import { assert, type Files, SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { type Labels, type Matcher, setStaleAt, wordsOf } from '@pollux/model';
import type { MemorySample } from '@pollux/promql/script';
import type {
  NamesAnswer,
  Queryable,
  ReadContext,
  SelectRequest,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';

type Row = MemorySample & { readonly labels: Labels };

/** Scripts load little. */
const SLAB_BYTES = 256 * 1024;

/**
 * A database that a script of promqltest loads. After each load all that was ever added is written to a new one, in the order of
 * time, when it is next read; it stays in the head, or is all in a block.
 */
export class ScriptDatabase implements Queryable {
  readonly #directory: string;
  readonly #inBlocks: boolean;
  readonly #files: Files;
  #rows: Row[] = [];
  #db: Tsdb | null = null;
  #opened = 0;
  #opening: Promise<Tsdb> | null = null;

  constructor(
    directory: string,
    { inBlocks, files }: { readonly inBlocks: boolean; readonly files: Files },
  ) {
    this.#directory = directory;
    this.#inBlocks = inBlocks;
    this.#files = files;
  }

  add(labels: Labels, sample: MemorySample): void {
    this.#rows.push({ ...sample, labels });
    this.#opening = null;
  }

  clear(): void {
    this.#rows = [];
    this.#opening = null;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    let source: SeriesSource | null = null;
    return {
      next: async () => {
        source ??= (await this.#current()).select(request, context);
        return source.next();
      },
      get warnings() {
        return source?.warnings ?? [];
      },
      close: () => source?.close(),
    };
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return (await this.#current()).labelNames(range, matchers, limit, context);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return (await this.#current()).labelValues(name, range, matchers, limit, context);
  }

  async close(): Promise<void> {
    await this.#db?.close();
    this.#db = null;
  }

  #current(): Promise<Tsdb> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<Tsdb> {
    await this.close();
    const directory = path.join(this.#directory, String(this.#opened++));
    let db = await this.#openIn(directory);
    const rows = lastOfEach(this.#rows).sort((a, b) => a.timestampMs - b.timestampMs);
    for (let from = 0; from < rows.length; ) {
      const { timestampMs } = rows[from]!;
      let to = from;
      while (to < rows.length && rows[to]!.timestampMs === timestampMs) to++;
      await write(db, rows.slice(from, to));
      from = to;
    }
    if (this.#inBlocks && rows.length > 0) {
      const name = await db.snapshot(false);
      await db.close();
      db = await this.#openIn(path.join(directory, 'snapshots', name));
    }
    this.#db = db;
    return db;
  }

  #openIn(directory: string): Promise<Tsdb> {
    return Tsdb.open({
      directory,
      env: {
        ...nodeEnv(),
        clock: new VirtualClock(),
        random: new SeededRandom(this.#opened),
        files: this.#files,
      },
      log: Log.silent(),
      registry: new Registry(),
      options: {
        fsync: 'none',
        retentionMs: 0,
        snapshotIntervalMs: 0,
        slabBytes: SLAB_BYTES,
        startTimestamps: true,
      },
    });
  }
}

/** The last write of a series and time wins, as in the storage of a script in memory. */
function lastOfEach(rows: readonly Row[]): Row[] {
  const byPlace = new Map(rows.map((row) => [`${row.timestampMs} ${row.labels.key()}`, row]));
  return [...byPlace.values()];
}

async function write(db: Tsdb, rows: readonly Row[]): Promise<void> {
  const appender = db.appender();
  for (const { labels, timestampMs, value, isStale, histogram, startTimestampMs } of rows) {
    const ref = appender.series(labels);
    const startMs = startTimestampMs ?? 0;
    if (histogram !== undefined && histogram !== null) {
      assert(
        appender.appendHistogram(ref, timestampMs, histogram, startMs) === 0,
        'a script loads histograms in order',
      );
      continue;
    }
    const values = Float64Array.of(value);
    if (isStale === true) setStaleAt(wordsOf(values), 0);
    const taken = appender.appendFloats(
      Uint32Array.of(ref),
      Float64Array.of(timestampMs),
      values,
      Float64Array.of(startMs),
      1,
      new Uint8Array(1),
    );
    assert(taken === 1, 'a script loads floats in order');
  }
  await appender.commit();
}
