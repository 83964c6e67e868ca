import { OperatingError } from '@pollux/base';
import { Matcher, METRIC_NAME } from '@pollux/model';
import { ParseError, parseSeriesSelector } from '@pollux/promql';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { type BlockSummary, ReadOnlyTsdb } from '@pollux/tsdb';
import { inColumns } from '../command/columns.ts';
import type { CommandContext } from '../command/command.ts';
import { type Call, type Subcommand, UsageError } from '../command/command-line.ts';
import { durationText, floatG, timeByLayout } from '../command/go-text.ts';

const DEFAULT_PATH = 'data/';
/** Every series; as a selector it would be refused, since it matches the empty name. */
const EVERYTHING: readonly Matcher[] = [new Matcher(METRIC_NAME, '=~', '(?s:.*)')];
/** Lines that are joined before they are written. */
const BATCH_LINES = 4_096;

export const tsdbList: Subcommand<CommandContext> = {
  words: ['tsdb', 'list'],
  help: 'List tsdb blocks.',
  flags: {
    'human-readable': { kind: 'switch', short: 'r', help: 'Print human readable values.' },
  },
  args: ['db path?'],
  run: (call, context) =>
    withDatabase(call, context, false, async (database) => {
      const isHuman = call.isOn('human-readable');
      const lines = database.blocks().map((block) => blockCells(block, isHuman));
      context.stdout.write(inColumns([HEADER, ...lines], { minWidth: 13, padding: 2 }));
      return 0;
    }),
};

export const tsdbDump: Subcommand<CommandContext> = {
  words: ['tsdb', 'dump'],
  help: 'Dump samples from a TSDB; one that is in use may be dumped too.',
  flags: {
    'min-time': { kind: 'text', help: 'Minimum timestamp to dump, ms.' },
    'max-time': { kind: 'text', help: 'Maximum timestamp to dump, ms.' },
    match: { kind: 'list', fallback: "{__name__=~'(?s:.*)'}", help: 'Series selector.' },
  },
  args: ['db path?'],
  run: (call, context) => {
    const range = {
      minMs: timeFlag(call, 'min-time', Number.MIN_SAFE_INTEGER),
      maxMs: timeFlag(call, 'max-time', Number.MAX_SAFE_INTEGER),
    };
    return withDatabase(call, context, true, async (database) => {
      const asked = call.list('match').map(matchersOf);
      for (const matchers of asked.length === 0 ? [EVERYTHING] : asked)
        await dump(database, context, matchers, range);
      return 0;
    });
  },
};

async function dump(
  database: ReadOnlyTsdb,
  { stdout }: CommandContext,
  matchers: readonly Matcher[],
  range: { readonly minMs: number; readonly maxMs: number },
): Promise<void> {
  const source = database.select(
    { range, matchers, hints: NO_HINTS, sorted: true },
    { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
  );
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const { labels, count, timestampsMs, values } of batch) {
        const head = labels.toString();
        let lines = '';
        for (let i = 0; i < count; i++) {
          lines += `${head} ${floatG(values[i]!)} ${timestampsMs[i]!}\n`;
          if ((i + 1) % BATCH_LINES !== 0) continue;
          stdout.write(lines);
          lines = '';
          await stdout.drained();
        }
        stdout.write(lines);
        await stdout.drained();
      }
    }
  } finally {
    source.close();
  }
}

function matchersOf(selector: string): readonly Matcher[] {
  try {
    return parseSeriesSelector(selector);
  } catch (error) {
    if (error instanceof ParseError) throw new OperatingError('ROLES.SELECTOR', error.message);
    throw error;
  }
}

async function withDatabase(
  call: Call,
  context: CommandContext,
  readsLog: boolean,
  use: (database: ReadOnlyTsdb) => Promise<number>,
): Promise<number> {
  const { env, stderr } = context;
  const directory = call.args[0] ?? DEFAULT_PATH;
  if (!env.files.exists(directory)) {
    stderr.write(`opening the db dir: stat ${directory}: no such file or directory\n`);
    return 1;
  }
  const log = new Log({
    level: 'warn',
    format: 'logfmt',
    now: () => env.clock.now(),
    write: (line) => stderr.write(`${line}\n`),
  });
  try {
    const database = await ReadOnlyTsdb.open({
      directory: directory.replace(/(?<=.)\/+$/, ''),
      env,
      log,
      readsLog,
    });
    try {
      return await use(database);
    } finally {
      database.close();
    }
  } catch (error) {
    if (!OperatingError.is(error) || error instanceof UsageError) throw error;
    stderr.write(`${error.message}\n`);
    return 1;
  }
}

const HEADER = 'BLOCK ULID|MIN TIME|MAX TIME|DURATION|NUM SAMPLES|NUM CHUNKS|NUM SERIES|SIZE'.split(
  '|',
);

function blockCells(block: BlockSummary, isHuman: boolean): readonly string[] {
  const time = (ms: number): string =>
    isHuman ? timeByLayout('2006-01-02 15:04:05 -0700 MST', ms) : String(ms);
  return [
    block.ulid,
    time(block.minMs),
    time(block.maxMs),
    durationText(block.maxMs - block.minMs),
    String(block.sampleCount),
    String(block.chunkCount),
    String(block.seriesCount),
    isHuman ? sizeText(block.sizeBytes) : String(block.sizeBytes),
  ];
}

/** `1MiB20KiB3B`: every power of 1024 that is not zero. */
function sizeText(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let text = '';
  let rest = sizeBytes;
  for (const [index, unit] of units.entries()) {
    const isLast = index === units.length - 1;
    const part = isLast ? rest : rest % 1024;
    if (part > 0) text = `${part}${unit}${text}`;
    rest = Math.floor(rest / 1024);
  }
  return text === '' ? '0B' : text;
}

function timeFlag(call: Call, name: string, fallback: number): number {
  const text = call.text(name);
  if (text === '') return fallback;
  if (!/^[+-]?\d+$/.test(text))
    throw new UsageError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Number(text)));
}
