import { CanceledError, type Env, OperatingError } from '@pollux/base';
import { Labels, METRIC_NAME } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import { type Call, type Subcommand, UsageError } from '../../command/command-line.ts';
import { durationText } from '../../command/go-text.ts';
import { Progress } from '../../command/progress.ts';
import { readTextFile } from '../../runtime/read-file.ts';
import { integerFlag, logOf, reported } from './database.ts';

const SCRAPE_INTERVAL_MS = 30_000;
const SERIES_PER_TARGET = 1_000;
const MAX_SERIES = 10_000_000;

export const tsdbBenchWrite: Subcommand<CommandContext> = {
  words: ['tsdb', 'bench', 'write'],
  help: 'Run a write performance benchmark of this program’s database: scrapes of changing values, each committed to the log.',
  flags: {
    out: {
      kind: 'text',
      fallback: 'benchout',
      help: 'Set the output path; what is there is removed.',
    },
    metrics: { kind: 'text', fallback: '10000', help: 'Number of metrics to read or to make up.' },
    scrapes: { kind: 'text', fallback: '3000', help: 'Number of scrapes to simulate.' },
  },
  args: ['file?'],
  run: (call, context) => {
    const metrics = integerFlag(call, 'metrics', 0);
    const scrapes = integerFlag(call, 'scrapes', 0);
    if (metrics < 1 || metrics > MAX_SERIES || scrapes < 1)
      throw new UsageError(`--metrics must be 1 to ${MAX_SERIES}, --scrapes at least 1`);
    return reported(context, () =>
      context.interruptible((signal) => benchmark(call, context, { metrics, scrapes, signal })),
    );
  },
};

type Size = { readonly metrics: number; readonly scrapes: number; readonly signal: AbortSignal };

async function benchmark(call: Call, context: CommandContext, size: Size): Promise<number> {
  const { env, stdout } = context;
  const out = emptied(env, call.text('out'));
  const stage = async <T>(name: string, work: () => Promise<T>): Promise<[T, number]> => {
    stdout.write(`>> start stage=${name}\n`);
    const startedMs = env.clock.monotonic();
    const result = await work();
    const tookMs = env.clock.monotonic() - startedMs;
    stdout.write(`>> completed stage=${name} duration=${durationText(Math.round(tookMs))}\n`);
    return [result, tookMs];
  };
  const [series] = await stage('readData', async () => {
    const file = call.args[0];
    if (file === undefined) return madeUpSeries(size.metrics);
    return readSeries(readTextFile(env.files, file), size.metrics);
  });
  const database = await Tsdb.open({
    directory: `${out}/storage`,
    env,
    log: logOf(context),
    registry: new Registry(),
    options: { retentionMs: 0 },
  });
  // Its own syncing and moving of the head to blocks are part of writing.
  database.start();
  try {
    const [total, tookMs] = await stage('ingestScrapes', () =>
      ingest(database, series, { ...size, context }),
    );
    stdout.write(` > total samples: ${total}\n > samples/sec: ${(total / tookMs) * 1_000}\n`);
  } finally {
    await stage('stopStorage', () => database.close());
  }
  return 0;
}

/** The directory, made empty; refuses one in which something else lies. */
function emptied({ files }: Env, out: string): string {
  if (out === '') throw new UsageError('--out: must be a directory');
  if (files.exists(out)) {
    const others = files.list(out).filter((name) => name !== 'storage');
    if (others.length > 0)
      throw new OperatingError(
        'ROLES.REFUSED',
        `${out} holds ${others[0]}, not only an earlier benchmark`,
      );
    files.removeTree(`${out}/storage`);
  }
  files.makeDirectory(out);
  return out;
}

/** Targets of a thousand series each; names and values as exporters have them. */
function madeUpSeries(count: number): readonly Labels[] {
  return Array.from({ length: count }, (_, i) => {
    const target = Math.floor(i / SERIES_PER_TARGET);
    return Labels.from({
      __name__: `bench_metric_${i % 100}_total`,
      code: String(200 + (i % 10)),
      instance: `host-${target}.example:9100`,
      job: 'bench',
      path: `/api/${Math.floor((i % SERIES_PER_TARGET) / 100)}`,
    });
  });
}

/** One series a line, `{"__name__":"up","job":"a"}`, as in Prometheus' test data; repeated ones count once. */
function readSeries(text: string, count: number): readonly Labels[] {
  const found = new Map<string, Labels>();
  for (const [index, line] of text.split('\n').entries()) {
    if (found.size === count) break;
    if (line.trim() === '') continue;
    const labels = labelsOfLine(line);
    if (labels === null || !labels.has(METRIC_NAME))
      throw new OperatingError(
        'ROLES.BENCH',
        `line ${index + 1}: no JSON object of labels with a __name__`,
      );
    found.set(labels.key(), labels);
  }
  return [...found.values()];
}

function labelsOfLine(line: string): Labels | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    return Labels.from(Object.entries(value).map(([name, text]) => [name, String(text)] as const));
  } catch {
    return null;
  }
}

/** Writes scrape by scrape, a commit for each target. Gives how many samples were taken; fails when one is refused. */
async function ingest(
  database: Tsdb,
  series: readonly Labels[],
  { scrapes, signal, context }: Size & { readonly context: CommandContext },
): Promise<number> {
  const progress = new Progress(context);
  // The last scrape is now: a database takes nothing from the far future.
  const endMs = Math.floor(context.env.clock.now() / SCRAPE_INTERVAL_MS) * SCRAPE_INTERVAL_MS;
  const startMs = endMs - scrapes * SCRAPE_INTERVAL_MS;
  const targets = Array.from(
    { length: Math.ceil(series.length / SERIES_PER_TARGET) },
    (_, i) =>
      new Target(database, series.slice(i * SERIES_PER_TARGET, (i + 1) * SERIES_PER_TARGET)),
  );
  let total = 0;
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (const target of targets)
      total += await target.scrape(startMs + scrape * SCRAPE_INTERVAL_MS);
    if (signal.aborted) throw new CanceledError('given up', { cause: signal.reason });
    progress.at('scrapes', scrape, scrapes, () => `${total} samples`);
    // Input, timers and the database's own work take their turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  progress.clear();
  return total;
}

/** The series of one target with their references and values. */
class Target {
  readonly #database: Tsdb;
  readonly #series: readonly Labels[];
  readonly #refs: Uint32Array;
  readonly #times: Float64Array;
  readonly #values: Float64Array;
  readonly #outcomes: Uint8Array;
  #isKnown = false;

  constructor(database: Tsdb, series: readonly Labels[]) {
    this.#database = database;
    this.#series = series;
    this.#refs = new Uint32Array(series.length);
    this.#times = new Float64Array(series.length);
    this.#values = new Float64Array(series.length).fill(123_456_789);
    this.#outcomes = new Uint8Array(series.length);
  }

  async scrape(timestampMs: number): Promise<number> {
    const appender = this.#database.appender();
    const count = this.#series.length;
    if (!this.#isKnown) {
      for (const [i, labels] of this.#series.entries()) this.#refs[i] = appender.series(labels);
      this.#isKnown = true;
    }
    this.#times.fill(timestampMs);
    for (let i = 0; i < count; i++)
      this.#values[i] = this.#values[i]! + (i % 7 === 0 ? 0 : 1_000 + (i % 13));
    const taken = appender.appendFloats(
      this.#refs,
      this.#times,
      this.#values,
      null,
      count,
      this.#outcomes,
    );
    if (taken < count) {
      appender.rollback();
      throw new OperatingError('ROLES.BENCH', `${count - taken} samples of ${count} were refused`);
    }
    await appender.commit();
    return taken;
  }
}
