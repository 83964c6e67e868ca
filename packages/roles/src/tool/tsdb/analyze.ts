import { OperatingError } from '@pollux/base';
import { type AnalysedBlock, analyseBlock, type CountedText, type Spread } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import type { Call, Subcommand } from '../../command/command-line.ts';
import { durationText } from '../../command/go-text.ts';
import { checkDirectory, directoryOf, integerFlag, matchersOf, reported } from './database.ts';

const DEFAULT_LIMIT = 20;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

export const tsdbAnalyze: Subcommand<CommandContext> = {
  words: ['tsdb', 'analyze'],
  help: 'Analyze churn, label pair cardinality and compaction efficiency.',
  flags: {
    limit: { kind: 'text', fallback: '20', help: 'How many items to show in each list.' },
    extended: { kind: 'switch', help: 'Run extended analysis.' },
    match: { kind: 'text', help: 'Series selector to analyze.' },
  },
  args: ['db path?', 'block id?'],
  run: (call, context) => {
    const top = integerFlag(call, 'limit', DEFAULT_LIMIT);
    return reported(context, () => analyze(call, context, top));
  },
};

async function analyze(call: Call, context: CommandContext, top: number): Promise<number> {
  const { env, stdout } = context;
  const selector = call.text('match');
  const matchers = selector === '' ? [] : matchersOf(selector);
  const directory = directoryOf(call, 0);
  checkDirectory(context, directory);
  const ulid = call.args[1] ?? newestBlock(context, directory);
  if (!env.files.exists(`${directory}/${ulid}`))
    throw new OperatingError(
      'ROLES.NO_BLOCK',
      `open ${directory}/${ulid}: no such file or directory`,
    );
  const block = await analyseBlock({
    files: env.files,
    clock: env.clock,
    directory: `${directory}/${ulid}`,
    matchers,
    top: Math.max(0, top),
    readsChunks: call.isOn('extended'),
  });
  stdout.write(overview(block, selector));
  if (block.chunks !== null) stdout.write(compaction(block.chunks));
  return 0;
}

/** The block that was made last, whatever its time. */
function newestBlock({ env }: CommandContext, directory: string): string {
  const newest = env.files
    .list(directory)
    .filter((name) => ULID.test(name))
    .at(-1);
  if (newest === undefined) throw new OperatingError('ROLES.NO_BLOCK', 'no blocks found');
  return newest;
}

function overview(block: AnalysedBlock, selector: string): string {
  const hasSelector = selector !== '';
  const head = [
    `Block ID: ${block.ulid}`,
    `Duration: ${durationText(block.maxMs - block.minMs)}`,
    `Total Series: ${block.seriesCount}`,
    ...(hasSelector ? [`Matcher: ${selector}`] : []),
    `Label names: ${block.labelNames}`,
    ...(hasSelector ? [`Matched series: ${block.matchedSeries}`] : []),
    `Postings (unique label pairs): ${block.labelPairs}`,
    `Postings entries (total label pairs): ${block.entries}`,
  ];
  const lists: readonly (readonly [string, readonly CountedText[]])[] = [
    ['Label pairs most involved in churning', block.churnByPair],
    ['Label names most involved in churning', block.churnByName],
    ['Most common label pairs', block.commonPairs],
    ['Label names with highest cumulative label value length', block.valueBytesByName],
    ['Highest cardinality labels', block.valuesByName],
    ['Highest cardinality metric names', block.seriesByMetric],
  ];
  for (const [title, list] of lists) {
    head.push('', `${title}:`, ...list.map(({ text, count }) => `${count} ${text}`));
  }
  return `${head.join('\n')}\n`;
}

function compaction(chunks: NonNullable<AnalysedBlock['chunks']>): string {
  const parts: readonly (readonly [string, Spread])[] = [
    ['samples per float chunk', chunks.floatSamples],
    ['bytes per float chunk', chunks.floatBytes],
    ['samples per histogram chunk', chunks.histogramSamples],
    ['bytes per histogram chunk', chunks.histogramBytes],
    ['buckets per histogram chunk', chunks.histogramBuckets],
  ];
  const shown = parts.map(([what, spread]) => spreadText(what, spread, chunks.count));
  return `\nCompaction analysis:\n\n${shown.join('')}`;
}

/** A histogram as promtool 3 draws it: buckets of a power of ten, one `#` for each whole per cent of all chunks. */
function spreadText(what: string, spread: Spread, chunkCount: number): string {
  if (spread.size === 0) return `${what}: N/A\n\n`;
  const values = [...spread.keys()].sort((a, b) => a - b);
  const least = values[0]!;
  const greatest = values[values.length - 1]!;
  const step = stepFor(greatest - least);
  const start = least - (least % step);
  const end = greatest - (greatest % step) + step;
  const buckets = new Array<number>((end - start) / step + 1).fill(0);
  let sum = 0;
  let total = 0;
  for (const [value, count] of spread) {
    const bucket = Math.floor((value - start) / step);
    buckets[bucket] = buckets[bucket]! + count;
    sum += value * count;
    total += count;
  }
  const average = Math.floor(sum / total);
  const left = String(end).length;
  const right = String(end + step).length;
  const countWidth = String(Math.max(...buckets)).length;
  const lines = buckets.map((count, bucket) => {
    const from = String(bucket * step + start + 1).padStart(left);
    const to = String((bucket + 1) * step + start).padStart(right);
    const bar = '#'.repeat(Math.floor((100 * count) / chunkCount));
    return `[${from}, ${to}]: ${String(count).padStart(countWidth)} ${bar}\n`;
  });
  return `${what} (min/avg/max): ${least}/${average}/${greatest}\n${lines.join('')}\n`;
}

function stepFor(width: number): number {
  const tenth = Math.floor(width / 10);
  let step = 10;
  while (step < tenth && step <= 10_000) step *= 10;
  return step;
}
