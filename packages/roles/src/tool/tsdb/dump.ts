import {
  isLegacyLabelName,
  isLegacyMetricName,
  isStaleAt,
  type Labels,
  METRIC_NAME,
  quoteText,
  wordsOf,
} from '@pollux/model';
import { histogramText } from '@pollux/promql';
import {
  MemoryBudget,
  MergedSource,
  NO_HINTS,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';
import type { ReadOnlyTsdb } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import type { Call, CommandFlags, Subcommand } from '../../command/command-line.ts';
import { floatG, goJson } from '../../command/go-text.ts';
import {
  directoryOf,
  EVERY_SERIES,
  integerFlag,
  matchersOf,
  reported,
  withDatabase,
} from './database.ts';

/** Lines that are joined before they are written. */
const BATCH_LINES = 4_096;
const FLAGS: CommandFlags = {
  'min-time': { kind: 'text', help: 'Minimum timestamp to dump, in milliseconds since 1970.' },
  'max-time': { kind: 'text', help: 'Maximum timestamp to dump, in milliseconds since 1970.' },
  match: {
    kind: 'list',
    fallback: "{__name__=~'(?s:.*)'}",
    help: 'Series selector. Can be specified multiple times.',
  },
  'sandbox-dir-root': {
    kind: 'text',
    help: 'Accepted as promtool has it; nothing is written anywhere, so no sandbox is needed.',
  },
};

export const tsdbDump: Subcommand<CommandContext> = {
  words: ['tsdb', 'dump'],
  help: 'Dump data (series with samples, or only series) from a TSDB; one that is in use may be dumped too.',
  flags: {
    ...FLAGS,
    format: {
      kind: 'choice',
      choices: ['prom', 'seriesjson'],
      fallback: 'prom',
      help: 'Output format of the dump: prom or seriesjson.',
    },
  },
  args: ['db path?'],
  run: (call, context) => {
    const format = call.text('format') === 'seriesjson' ? seriesJson : sampleLines;
    return dump(call, context, format);
  },
};

export const tsdbDumpOpenMetrics: Subcommand<CommandContext> = {
  words: ['tsdb', 'dump-openmetrics'],
  help: 'Dump samples from a TSDB as OpenMetrics text, without native histograms and stale markers, which it cannot say.',
  flags: FLAGS,
  args: ['db path?'],
  run: async (call, context) => {
    const status = await dump(call, context, openMetricsLines);
    if (status === 0) context.stdout.write('# EOF\n');
    return status;
  },
};

type Format = (columns: SeriesColumns) => Iterable<string>;

function dump(call: Call, context: CommandContext, format: Format): Promise<number> {
  const range = {
    minMs: integerFlag(call, 'min-time', Number.MIN_SAFE_INTEGER),
    maxMs: integerFlag(call, 'max-time', Number.MAX_SAFE_INTEGER),
  };
  return reported(context, () =>
    withDatabase(context, directoryOf(call, 0), true, async (database) => {
      const asked = call.list('match').map(matchersOf);
      const source = selectAll(database, asked.length === 0 ? [EVERY_SERIES] : asked, range);
      try {
        await write(source, context, format);
      } finally {
        source.close();
      }
      return 0;
    }),
  );
}

/** The series that any of the selectors matches, each once, sorted. */
function selectAll(
  database: ReadOnlyTsdb,
  selectors: readonly (typeof EVERY_SERIES)[],
  range: { readonly minMs: number; readonly maxMs: number },
): SeriesSource {
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const sources = selectors.map((matchers) =>
    database.select({ range, matchers, hints: NO_HINTS, sorted: true }, context),
  );
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) return only;
  return new MergedSource(sources.map((source) => ({ source, onError: () => null })));
}

async function write(
  source: SeriesSource,
  { stdout }: CommandContext,
  format: Format,
): Promise<void> {
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const columns of batch) {
      let text = '';
      let lines = 0;
      for (const line of format(columns)) {
        text += line;
        if (++lines % BATCH_LINES !== 0) continue;
        stdout.write(text);
        text = '';
        await stdout.drained();
      }
      stdout.write(text);
      await stdout.drained();
    }
  }
}

function* sampleLines(columns: SeriesColumns): Iterable<string> {
  const { count, timestampsMs, values, histograms } = columns;
  const head = columns.labels.toString();
  for (let i = 0; i < count; i++) {
    const histogram = histograms?.[i] ?? null;
    const value = histogram === null ? floatG(values[i]!) : histogramText(histogram);
    yield `${head} ${value} ${timestampsMs[i]!}\n`;
  }
}

function* seriesJson({ labels }: SeriesColumns): Iterable<string> {
  yield `${goJson(labels.toObject())}\n`;
}

function* openMetricsLines(columns: SeriesColumns): Iterable<string> {
  const { labels, count, timestampsMs, values, histograms } = columns;
  const head = openMetricsSeries(labels);
  const words = wordsOf(values);
  for (let i = 0; i < count; i++) {
    if ((histograms?.[i] ?? null) !== null || isStaleAt(words, i)) continue;
    yield `${head} ${floatG(values[i]!)} ${(timestampsMs[i]! / 1_000).toFixed(3)}\n`;
  }
}

/** `name{a="b",c="d"}`, names that OpenMetrics 1.0 does not know in quotes as Prometheus 3 reads them. */
function openMetricsSeries(labels: Labels): string {
  const name = labels.metricName;
  const isPlain = name === '' || isLegacyMetricName(name);
  const parts = isPlain ? [] : [quoteText(name)];
  for (const [label, value] of labels) {
    if (label === METRIC_NAME) continue;
    parts.push(`${isLegacyLabelName(label) ? label : quoteText(label)}=${quoteText(value)}`);
  }
  return `${isPlain ? name : ''}{${parts.join(',')}}`;
}
