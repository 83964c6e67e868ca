import { formatDuration } from '@pollux/model';
import { type BlockSummary, type SliceSummary, sliceSummaries } from '@pollux/tsdb';
import { inColumns } from '../../command/columns.ts';
import type { CommandContext } from '../../command/command.ts';
import type { CommandFlags, Subcommand } from '../../command/command-line.ts';
import { durationText, timeByLayout } from '../../command/go-text.ts';
import { directoryOf, reported, withDatabase } from './database.ts';

export const HUMAN_READABLE: CommandFlags = {
  'human-readable': { kind: 'switch', short: 'r', help: 'Print human readable values.' },
};

export const tsdbList: Subcommand<CommandContext> = {
  words: ['tsdb', 'list'],
  help: 'List tsdb blocks, and down-sampled data behind them.',
  flags: HUMAN_READABLE,
  args: ['db path?'],
  run: (call, context) =>
    reported(context, () =>
      withDatabase(context, directoryOf(call, 0), false, async (database) => {
        const isHuman = call.isOn('human-readable');
        context.stdout.write(blockTable(database.blocks(), { isHuman, hasHeader: true }));
        const slices = sliceSummaries(context.env.files, directoryOf(call, 0));
        if (slices.length > 0) context.stdout.write(`\n${sliceTable(slices, isHuman)}`);
        return 0;
      }),
    ),
};

const HEADER = 'BLOCK ULID|MIN TIME|MAX TIME|DURATION|NUM SAMPLES|NUM CHUNKS|NUM SERIES|SIZE'.split(
  '|',
);

export function blockTable(
  blocks: readonly BlockSummary[],
  { isHuman, hasHeader }: { readonly isHuman: boolean; readonly hasHeader: boolean },
): string {
  const lines = blocks.map((block) => blockCells(block, isHuman));
  return inColumns(hasHeader ? [HEADER, ...lines] : lines, { minWidth: 13, padding: 2 });
}

const SLICE_HEADER =
  'RESOLUTION|SLICE ULID|MIN TIME|MAX TIME|DURATION|NUM BUCKETS|NUM CHUNKS|NUM SERIES|SIZE|SAMPLES DROPPED UNTIL'.split(
    '|',
  );

function sliceTable(slices: readonly SliceSummary[], isHuman: boolean): string {
  const lines = slices.map((slice) => [
    formatDuration(slice.resolutionMs),
    ...blockCells(slice, isHuman),
    slice.droppedUntilMs === null ? '-' : timeText(slice.droppedUntilMs, isHuman),
  ]);
  return inColumns([SLICE_HEADER, ...lines], { minWidth: 13, padding: 2 });
}

function timeText(ms: number, isHuman: boolean): string {
  return isHuman ? timeByLayout('2006-01-02 15:04:05 -0700 MST', ms) : String(ms);
}

function blockCells(block: BlockSummary, isHuman: boolean): readonly string[] {
  const time = (ms: number): string => timeText(ms, isHuman);
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
