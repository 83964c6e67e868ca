import { spawnSync } from 'node:child_process';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher, parseFloatText, wordsOf } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { ReadOnlyTsdb } from '@pollux/tsdb';
import { type Book, type SeriesEntry, wordsOfNumber } from './ledger-book.ts';

/** Everything in a data directory, read by our own reader: the only witness that shows every bit. */
export async function readDirectory(directory: string): Promise<Book> {
  const env = nodeEnv();
  const tsdb = await ReadOnlyTsdb.open({ directory, env, log: Log.silent() });
  const book = new Map<string, SeriesEntry>();
  const source = tsdb.select(
    {
      range: { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER },
      matchers: [new Matcher('__name__', '=~', '.+')],
      hints: NO_HINTS,
      sorted: false,
    },
    { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
  );
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const { labels, count, timestampsMs, values } of batch) {
        const words = wordsOf(values);
        const entry = entryOf(book, labels);
        for (let i = 0; i < count; i++) {
          entry.timesMs.push(timestampsMs[i]!);
          entry.highs.push(words[2 * i + 1]!);
          entry.lows.push(words[2 * i]!);
        }
      }
    }
  } finally {
    source.close();
    tsdb.close();
    await env.net.close();
  }
  return book;
}

/** The same, by `promtool tsdb dump`, whose lines are `{name="value", …} number milliseconds`. */
export function promtoolDump(directory: string): Book {
  const { status, stdout, stderr } = spawnSync('promtool', ['tsdb', 'dump', directory], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0 || stderr !== '') throw new Error(`promtool tsdb dump: ${status} ${stderr}`);
  const book = new Map<string, SeriesEntry>();
  for (const line of stdout.split('\n')) {
    if (line === '') continue;
    const match = /^\{(.*)\} (\S+) (-?\d+)$/.exec(line);
    if (match === null) throw new Error(`promtool printed ${JSON.stringify(line)}`);
    const [, labels = '', value = '', time = ''] = match;
    push(entryOf(book, labelsOf(labels)), Number(time), value);
  }
  return book;
}

/** All samples of an instant query with a range selector, as `/api/v1/query` answers it. */
export async function queriedSamples(
  base: string,
  selector: string,
  timeMs: number,
): Promise<Book> {
  const data = await apiData(base, 'query', { query: selector, time: String(timeMs / 1_000) });
  const book = new Map<string, SeriesEntry>();
  const { result } = data as {
    readonly result: readonly {
      readonly metric: Record<string, string>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
  for (const { metric, values } of result) {
    const entry = entryOf(book, Labels.from(metric));
    for (const [seconds, text] of values) push(entry, Math.round(seconds * 1_000), text);
  }
  return book;
}

export async function apiData(
  base: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
): Promise<unknown> {
  const response = await fetch(`${base}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(parameters),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${base} ${parameters.query}: ${response.status} ${text}`);
  return (JSON.parse(text) as { readonly data: unknown }).data;
}

function entryOf(book: Map<string, SeriesEntry>, labels: Labels): SeriesEntry {
  const key = labels.key();
  const known = book.get(key);
  if (known !== undefined) return known;
  const entry = { labels, timesMs: [], highs: [], lows: [], areValuesKnown: true };
  book.set(key, entry);
  return entry;
}

function push(entry: SeriesEntry, timeMs: number, valueText: string): void {
  const words = wordsOfNumber(parseFloatText(valueText));
  if (words === null) throw new Error(`${valueText} of ${entry.labels} is no number`);
  const [high, low] = words;
  entry.timesMs.push(timeMs);
  entry.highs.push(high);
  entry.lows.push(low);
}

/** Go quotes what JSON quotes the same way, as long as everything is printable but for line feeds. */
function labelsOf(text: string): Labels {
  const pairs = [...text.matchAll(/([^\s,={}"]+)=("(?:[^"\\]|\\.)*")/g)];
  return Labels.from(
    Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, JSON.parse(value)])),
  );
}
