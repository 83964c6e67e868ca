import type { Env } from '@pollux/base';
import { compareText, Matcher, matchesAll, wordsOf } from '@pollux/model';
import { decodeReadResponse, encodeReadRequest, snappyDecode, snappyEncode } from '@pollux/remote';
import type {
  NamesAnswer,
  Queryable,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
} from '@pollux/storage';
import { promise } from './world.ts';

/** Everything that one server or store holds of a time, read over the wire; also a Queryable, to recompute answers. */
export class Dump implements Queryable {
  readonly series: readonly SeriesColumns[];

  constructor(series: readonly SeriesColumns[]) {
    this.series = [...series].sort((a, b) => a.labels.compare(b.labels));
  }

  /** Reads `url` (a remote read endpoint). `drop` takes labels off that only tell where a copy came from. */
  static async read(
    { env }: { readonly env: Env },
    url: string,
    options: {
      readonly minMs: number;
      readonly maxMs: number;
      readonly matchers: readonly Matcher[];
      readonly drop: readonly string[];
    },
  ): Promise<Dump> {
    const { minMs, maxMs, matchers } = options;
    const request = encodeReadRequest({
      queries: [{ startMs: minMs, endMs: maxMs, matchers, hints: null }],
      accepted: ['samples'],
    });
    const response = await env.net.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: snappyEncode(request),
      timeoutMs: 30_000,
      maxBodyBytes: 512 * 1024 * 1024,
    });
    promise(
      response.status === 200,
      `${url} answers a dump, not ${response.status} ${new TextDecoder().decode(response.body).slice(0, 300)}`,
    );
    const [result = []] = decodeReadResponse(await snappyDecode(response.body));
    const drop = new Set(options.drop);
    return new Dump(result.map((columns) => ({ ...columns, labels: columns.labels.drop(drop) })));
  }

  get sampleCount(): number {
    return this.series.reduce((sum, { count }) => sum + count, 0);
  }

  /** The first sample that `other` does not hold bit for bit, as text; null when it holds all. */
  firstMissingFrom(other: Dump): string | null {
    const theirs = new Map(other.series.map((columns) => [columns.labels.key(), columns]));
    for (const own of this.series) {
      const found = theirs.get(own.labels.key());
      if (found === undefined) return `series ${own.labels.toMetricString()}`;
      const ownWords = wordsOf(own.values);
      const words = wordsOf(found.values);
      let at = 0;
      for (let i = 0; i < own.count; i++) {
        const time = own.timestampsMs[i] ?? 0;
        while (at < found.count && (found.timestampsMs[at] ?? 0) < time) at++;
        const isThere = at < found.count && found.timestampsMs[at] === time;
        if (!isThere) return `${own.labels.toMetricString()} at ${new Date(time).toISOString()}`;
        if (words[2 * at] !== ownWords[2 * i] || words[2 * at + 1] !== ownWords[2 * i + 1]) {
          return `the value of ${own.labels.toMetricString()} at ${new Date(time).toISOString()}`;
        }
      }
    }
    return null;
  }

  select({ range, matchers }: SelectRequest): SeriesSource {
    let batch: readonly SeriesColumns[] | null = this.series.flatMap((columns) => {
      if (!matchesAll(matchers, columns.labels)) return [];
      const times = columns.timestampsMs.subarray(0, columns.count);
      const from = times.findIndex((time) => time >= range.minMs);
      const to = times.findLastIndex((time) => time <= range.maxMs) + 1;
      if (from < 0 || to <= from) return [];
      return [
        {
          ...columns,
          count: to - from,
          timestampsMs: times.slice(from, to),
          values: columns.values.slice(from, to),
        },
      ];
    });
    return {
      warnings: [],
      close: () => {},
      next: async () => {
        const given = batch !== null && batch.length > 0 ? batch : null;
        batch = null;
        return given;
      },
    };
  }

  async labelNames(): Promise<NamesAnswer> {
    return names(this.series.flatMap(({ labels }) => [...labels].map(([name]) => name)));
  }

  async labelValues(name: string): Promise<NamesAnswer> {
    return names(this.series.map(({ labels }) => labels.get(name)));
  }
}

function names(all: readonly string[]): NamesAnswer {
  return {
    values: [...new Set(all)].filter((value) => value !== '').sort(compareText),
    warnings: [],
  };
}

export const EVERYTHING: readonly Matcher[] = [new Matcher('__name__', '=~', '.+')];
