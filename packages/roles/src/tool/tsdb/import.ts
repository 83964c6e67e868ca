import { OperatingError } from '@pollux/base';
import type { Precision } from '@pollux/influx';
import { type BlockSummary, blockSummary, ReadOnlyTsdb } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import {
  type Call,
  type CommandFlags,
  type Subcommand,
  UsageError,
} from '../../command/command-line.ts';
import {
  BLOCK_FLAGS,
  blockSettings,
  existingFile,
  LABEL_FLAG,
  pairsOf,
} from './blocks-from-openmetrics.ts';
import { checkDirectory, directoryOf, logOf, reported } from './database.ts';
import { copyBlocks } from './import/copy-blocks.ts';
import { CSV_TIME_FORMATS, type CsvMapping, type CsvTimeFormat, csvSource } from './import/csv.ts';
import { influxSource } from './import/influx.ts';
import { importIntoBlocks } from './import/into-blocks.ts';
import { openMetricsSource } from './import/openmetrics.ts';
import { prometheusSource } from './import/prometheus.ts';
import { importOverRemoteWrite } from './import/remote-write.ts';
import type { SampleSource } from './import/sample-source.ts';
import { blockTable } from './list.ts';

const TARGET_FLAGS: CommandFlags = {
  ...BLOCK_FLAGS,
  ...LABEL_FLAG,
  url: {
    kind: 'text',
    help: 'Send to this remote write endpoint instead of writing blocks; it decides how old samples may be.',
  },
  'http.config.file': { kind: 'text', help: 'Client settings for --url: basic_auth, tls_config …' },
};

const openMetrics: Subcommand<CommandContext> = {
  words: ['tsdb', 'import', 'openmetrics'],
  help: 'Import an OpenMetrics file, of any size, order and age, into a data directory, also of a running server, or over remote write.',
  flags: TARGET_FLAGS,
  args: ['source file', 'db path?'],
  run: (call, context) => {
    const extra = pairsOf(call, 'label');
    return importSamples(call, context, () =>
      openMetricsSource(context.env.files, existingFile(context, call.args[0]!), extra),
    );
  },
};

const influx: Subcommand<CommandContext> = {
  words: ['tsdb', 'import', 'influx'],
  help: 'Import a file in InfluxDB line protocol (or an influx_inspect export): field f of measurement m becomes metric m_f.',
  flags: {
    ...TARGET_FLAGS,
    precision: {
      kind: 'choice',
      choices: ['ns', 'u', 'ms', 's', 'm', 'h'],
      fallback: 'ns',
      help: 'Unit of the timestamps.',
    },
    'keep-names': {
      kind: 'switch',
      help: 'Keep characters of names that Prometheus 2 does not allow; otherwise they become underscores.',
    },
  },
  args: ['source file', 'db path?'],
  run: (call, context) => {
    const mapping = {
      precision: call.text('precision') as Precision,
      keepsNames: call.isOn('keep-names'),
      extra: pairsOf(call, 'label'),
      clock: context.env.clock,
    };
    return importSamples(
      call,
      context,
      () => influxSource(context.env.files, existingFile(context, call.args[0]!), mapping),
      'last',
    );
  },
};

const csv: Subcommand<CommandContext> = {
  words: ['tsdb', 'import', 'csv'],
  help: 'Import a CSV file: one row, one time; columns are values and labels.',
  flags: {
    ...TARGET_FLAGS,
    time: { kind: 'text', isRequired: true, help: 'Column of the time.' },
    'time-format': {
      kind: 'choice',
      choices: CSV_TIME_FORMATS,
      fallback: 'rfc3339',
      help: 'How the time is written.',
    },
    value: {
      kind: 'list',
      isRequired: true,
      help: 'Column of values, as column or column=metric; may be given several times.',
    },
    metric: { kind: 'text', help: 'Column of the metric name; then there is one value column.' },
    'label-column': { kind: 'list', help: 'Column of a label, as column or column=label.' },
    delimiter: { kind: 'text', fallback: ',', help: 'One character between cells; tab for a tab.' },
    header: {
      kind: 'switch',
      fallback: 'true',
      help: 'The first row names the columns; --no-header: columns are numbers from 1.',
    },
  },
  args: ['source file', 'db path?'],
  run: (call, context) => {
    const mapping = csvMapping(call);
    return importSamples(call, context, () =>
      csvSource(context.env.files, existingFile(context, call.args[0]!), mapping),
    );
  },
};

const prometheus: Subcommand<CommandContext> = {
  words: ['tsdb', 'import', 'prometheus'],
  help: 'Import a data directory of Prometheus: its blocks are copied, its log becomes blocks. With --url or --label every sample is written anew.',
  flags: TARGET_FLAGS,
  args: ['source db path', 'db path?'],
  run: (call, context) => {
    const extra = pairsOf(call, 'label');
    const directory = directoryOf(call, 0);
    const copies = !call.has('url') && Object.keys(extra).length === 0;
    return importSamples(
      call,
      context,
      () => {
        checkDirectory(context, directory);
        return prometheusSource({
          env: context.env,
          log: logOf(context),
          directory,
          onlyLogs: copies,
          extra,
        });
      },
      'first',
      copies ? directory : null,
    );
  },
};

export const IMPORTS: readonly Subcommand<CommandContext>[] = [
  openMetrics,
  csv,
  influx,
  prometheus,
];

/** `copiedFrom`: a data directory whose blocks are copied first. */
function importSamples(
  call: Call,
  context: CommandContext,
  open: () => SampleSource,
  duplicates: 'first' | 'last' = 'first',
  copiedFrom: string | null = null,
): Promise<number> {
  const settings = blockSettings(call);
  const directory = directoryOf(call, 1);
  return reported(context, () =>
    context.interruptible(async (signal) => {
      const source = open();
      const url = call.text('url');
      if (url !== '') {
        const sent = await importOverRemoteWrite(context, source, {
          url,
          configFile: call.text('http.config.file'),
          scratchDirectory: call.args[1] === undefined ? '.' : directory,
          duplicates,
          signal,
        });
        if (!settings.isQuiet) context.stdout.write(`sent ${sent} samples\n`);
        return 0;
      }
      const outOfOrderFromMs = await logStartMs(context, directory);
      if (copiedFrom !== null) {
        if (copiedFrom === directory)
          throw new OperatingError('ROLES.IMPORT', 'source and target are the same directory');
        const paths = await copyBlocks(context, {
          source: copiedFrom,
          target: directory,
          outOfOrderFromMs,
          signal,
        });
        if (!settings.isQuiet) printBlocks(context, paths, settings.isHuman);
      }
      await importIntoBlocks(context, source, {
        ...settings,
        directory,
        duplicates,
        outOfOrderFromMs,
        signal,
      });
      return 0;
    }),
  );
}

/**
 * From when on a server that holds the directory, or will, has samples in its log that are in no block yet. Its next start
 * takes the log to begin where the newest block ends, so imported blocks beyond that must not count.
 */
async function logStartMs(context: CommandContext, directory: string): Promise<number> {
  const { env } = context;
  const { files } = env;
  const wal = `${directory}/wal`;
  if (!files.exists(wal) || files.list(wal).length === 0) return Number.POSITIVE_INFINITY;
  const log = logOf(context);
  const database = await ReadOnlyTsdb.open({ directory, env, log, readsLog: false });
  try {
    return database.inOrderMaxMs;
  } finally {
    database.close();
  }
}

function printBlocks(
  { env, stdout }: CommandContext,
  paths: readonly string[],
  isHuman: boolean,
): void {
  if (paths.length === 0) return;
  const blocks: BlockSummary[] = paths.map((path) => blockSummary(env.files, path));
  stdout.write(blockTable(blocks, { isHuman, hasHeader: true }));
}

function csvMapping(call: Call): CsvMapping {
  const named = call.text('delimiter');
  const delimiter = named === 'tab' ? '\t' : named;
  if (delimiter.length !== 1 || delimiter === '"' || delimiter === '\n')
    throw new UsageError(`--delimiter: ${JSON.stringify(named)} is no single character`);
  const metric = call.text('metric');
  const values = columnNames(call, 'value');
  if (metric !== '' && Object.keys(values).length !== 1)
    throw new UsageError('--metric takes the name from a column, so there is one --value');
  return {
    delimiter,
    hasHeader: call.isOn('header'),
    time: call.text('time'),
    timeFormat: call.text('time-format') as CsvTimeFormat,
    values,
    metric,
    labels: columnNames(call, 'label-column'),
    extra: pairsOf(call, 'label'),
  };
}

/** `column=name` texts; without a name the column's own is taken. */
function columnNames(call: Call, flag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    call.list(flag).map((text) => {
      const equals = text.lastIndexOf('=');
      return equals <= 0 ? [text, text] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
