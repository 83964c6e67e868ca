import { type Finding, type Verification, verifyDirectory } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import type { CommandFlags, Subcommand } from '../../command/command-line.ts';
import { Progress } from '../../command/progress.ts';
import { directoryOf, reported } from './database.ts';

export const JSON_FLAG: CommandFlags = {
  json: { kind: 'switch', help: 'Print one JSON object instead of lines.' },
};

export const tsdbVerify: Subcommand<CommandContext> = {
  words: ['tsdb', 'verify'],
  help: 'Check every checksum, order, reference, time and statistic of a data directory; exit 1 when something is wrong.',
  flags: JSON_FLAG,
  args: ['db path?'],
  run: (call, context) =>
    reported(context, () =>
      context.interruptible(async (signal) => {
        const { files, clock } = context.env;
        const progress = new Progress(context);
        const found = await verifyDirectory({
          files,
          clock,
          directory: directoryOf(call, 0),
          signal,
          onPart: (part, index, count) => progress.at('verifying', index, count, () => part),
        }).finally(() => progress.clear());
        context.stdout.write(call.isOn('json') ? `${JSON.stringify(found)}\n` : report(found));
        return found.findingCount === 0 ? 0 : 1;
      }),
    ),
};

function report(found: Verification): string {
  const { blocks, slices, headChunks, logRecords, findingCount } = found;
  const downsampled = slices === 0 ? '' : `${slices} slices of down-sampled data, `;
  const what = `${blocks} blocks, ${downsampled}${headChunks} head chunks, ${logRecords} log records`;
  const lines = found.findings.map(findingLine);
  lines.push(`${what}: ${findingCount === 0 ? 'no fault' : `${findingCount} faults`}`);
  return `${lines.join('\n')}\n`;
}

export function findingLine({ file, offset, text }: Finding): string {
  return `${file}${offset === null ? '' : ` at ${offset}`}: ${text}`;
}
