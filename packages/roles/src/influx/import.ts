import { createGunzip } from 'node:zlib';
import { OperatingError, sleep } from '@pollux/base';
import type { CommandContext } from '../command/command.ts';
import { errorOf } from './answer.ts';
import { type Connection, query, write } from './client.ts';

const BATCH_LINES = 5_000;
/** Below what a server takes by default, 25 MB. */
const BATCH_BYTES = 8 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const LINES_PER_REPORT = 100_000;
/** A longer line is no line protocol, but a file of another kind. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export type ImportOptions = {
  readonly path: string;
  /** Whether the file is gzipped. */
  readonly isCompressed: boolean;
  /** 0 = as fast as the server takes them. */
  readonly pointsPerSecond: number;
  readonly precision: string;
  readonly consistency: string;
};

/**
 * `-import`: a file with statements behind `# DDL`, then lines of points behind `# DML`, each to the database and policy that the
 * last `# CONTEXT-…` named. A batch that is refused is told and counted, and the rest goes on. Returns null, or what to end with.
 */
export async function importFile(
  context: CommandContext,
  connection: Connection,
  options: ImportOptions,
): Promise<string | null> {
  if (options.path === '') return 'ERROR: file argument required\n';
  const run = new ImportRun(context, connection, options);
  try {
    for await (const line of linesOf(context, options)) await run.line(line);
    await run.flush();
  } catch (error) {
    run.report();
    return `ERROR: ${error instanceof Error ? error.message : String(error)}\n`;
  }
  run.report();
  if (run.failed === 0) return null;
  return `ERROR: ${run.failed} point${run.failed === 1 ? ' was' : 's were'} not inserted\n`;
}

class ImportRun {
  failed = 0;
  readonly #context: CommandContext;
  readonly #connection: Connection;
  readonly #options: ImportOptions;
  readonly #startedMs: number;
  #isData = false;
  #database = '';
  #policy = '';
  #batch: string[] = [];
  #bytes = 0;
  #commands = 0;
  #inserted = 0;

  constructor(context: CommandContext, connection: Connection, options: ImportOptions) {
    this.#context = context;
    this.#connection = connection;
    this.#options = options;
    this.#startedMs = context.env.clock.monotonic();
  }

  async line(line: string): Promise<void> {
    if (line.startsWith('#')) {
      if (line.startsWith('# DML')) this.#isData = true;
      const [, what, name = ''] = /^# CONTEXT-(DATABASE|RETENTION-POLICY):(.*)$/.exec(line) ?? [];
      if (what === undefined) return;
      await this.flush();
      if (what === 'DATABASE') this.#database = name.trim();
      else this.#policy = name.trim();
      return;
    }
    if (line.trim() === '') return;
    if (!this.#isData) return this.#execute(line);
    this.#batch.push(line);
    this.#bytes += line.length;
    if (this.#batch.length >= BATCH_LINES || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const lines = this.#batch;
    if (lines.length === 0) return;
    this.#batch = [];
    this.#bytes = 0;
    const { env, stderr } = this.#context;
    const { precision, consistency, pointsPerSecond } = this.#options;
    const parameters = {
      consistency,
      db: this.#database,
      precision: precision === 'rfc3339' ? 'ns' : precision,
      rp: this.#policy,
    };
    const text = lines.join('\n');
    const before = this.#inserted + this.failed;
    try {
      await write(env.net, this.#connection, parameters, text);
      this.#inserted += lines.length;
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.failed += lines.length;
      stderr.write(`${this.#time()} error writing batch:  ${error.message.trim()}\n`);
      stderr.write(`${this.#time()} ${text}\n`);
    }
    const done = this.#inserted + this.failed;
    if (Math.floor(done / LINES_PER_REPORT) > Math.floor(before / LINES_PER_REPORT)) {
      const seconds = (env.clock.monotonic() - this.#startedMs) / 1_000;
      this.#say(
        `Processed ${done} lines.  Time elapsed: ${seconds.toFixed(3)}s.  Points per second (PPS): ${Math.floor(done / seconds)}`,
      );
    }
    if (pointsPerSecond <= 0) return;
    const dueMs = this.#startedMs + (done / pointsPerSecond) * 1_000;
    await sleep(env.clock, Math.max(0, dueMs - env.clock.monotonic()));
  }

  report(): void {
    if (this.#commands + this.#inserted + this.failed === 0) return;
    this.#say(`Processed ${this.#commands} commands`);
    this.#say(`Processed ${this.#inserted} inserts`);
    this.#say(`Failed ${this.failed} inserts`);
  }

  async #execute(statement: string): Promise<void> {
    const { env, stderr } = this.#context;
    this.#commands++;
    try {
      const answer = await query(env.net, this.#connection, { q: statement, db: this.#database });
      const error = errorOf(answer);
      if (error !== '') stderr.write(`${this.#time()} error: ${error}\n`);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      stderr.write(`${this.#time()} error: ${error.message}\n`);
    }
  }

  #say(text: string): void {
    this.#context.stdout.write(`${this.#time()} ${text}\n`);
  }

  /** In the form of the original's log, in UTC. */
  #time(): string {
    const iso = new Date(this.#context.env.clock.now()).toISOString();
    return iso.slice(0, 19).replaceAll('-', '/').replace('T', ' ');
  }
}

/** Lines without their ends, read piece by piece. */
async function* linesOf(
  context: CommandContext,
  { path, isCompressed }: ImportOptions,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of isCompressed ? inflated(context, path) : pieces(context, path)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES)
      throw new OperatingError('ROLES.INFLUX_IMPORT', `${path}: a line is longer than 16 MiB`);
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

async function* inflated(context: CommandContext, path: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const fed = (async () => {
    for await (const piece of pieces(context, path)) {
      if (!gunzip.write(piece)) await new Promise((resolve) => gunzip.once('drain', resolve));
    }
    gunzip.end();
  })();
  // A fault of reading ends the stream with that fault.
  fed.catch((error: unknown) =>
    gunzip.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  yield* gunzip as AsyncIterable<Uint8Array>;
  await fed;
}

async function* pieces({ env }: CommandContext, path: string): AsyncGenerator<Uint8Array> {
  const file = env.files.open(path, 'r');
  try {
    for (let position = 0; ; ) {
      const piece = new Uint8Array(READ_BYTES);
      const size = file.read(piece, 0, READ_BYTES, position);
      if (size === 0) return;
      position += size;
      yield piece.subarray(0, size);
    }
  } finally {
    file.close();
  }
}
