import { type Net, OperatingError } from '@pollux/base';
import { matchesAll } from '@pollux/model';
import {
  PlannedSource,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';
import { RemoteReadError } from '../errors.ts';
import { InfluxAnswer } from './influx-answer.ts';
import type { InfluxPlace } from './influx-place.ts';
import { influxStatement } from './influx-statement.ts';

/** As it comes over the wire, some 30 bytes a sample. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const CHUNK_POINTS = 10_000;
const BATCH_SERIES = 256;
const SAMPLE_BYTES = 16;

export type InfluxQueryableOptions = {
  readonly net: Net;
  readonly place: InfluxPlace;
  readonly timeoutMs: number;
};

/** Reads what an {@link InfluxTarget} has written, by InfluxQL. */
export class InfluxQueryable implements Pick<Queryable, 'select'> {
  readonly #options: InfluxQueryableOptions;

  constructor(options: InfluxQueryableOptions) {
    this.#options = options;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    return new PlannedSource(async () => new Batches(await this.#read(request, context)));
  }

  async #read(
    { matchers, range }: SelectRequest,
    { signal, budget }: ReadContext,
  ): Promise<SeriesColumns[]> {
    const { place } = this.#options;
    const statement = influxStatement(matchers, range, place.retentionPolicy);
    const body = await this.#ask(statement, signal);
    budget.take(body.length);
    const found = new InfluxAnswer(body)
      .series()
      .filter(({ count, labels }) => count > 0 && matchesAll(matchers, labels));
    budget.take(found.reduce((sum, { count }) => sum + count * SAMPLE_BYTES, 0));
    return found.sort((a, b) => a.labels.compare(b.labels));
  }

  async #ask(statement: string, signal: ReadContext['signal']): Promise<Uint8Array> {
    const { net, place, timeoutMs } = this.#options;
    const answer = await net
      .request({
        method: 'POST',
        url: place.queryUrl,
        headers: { ...place.queryHeaders, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          q: statement,
          epoch: 'ms',
          chunked: 'true',
          chunk_size: String(CHUNK_POINTS),
        }).toString(),
        timeoutMs,
        signal,
        maxBodyBytes: MAX_ANSWER_BYTES,
      })
      .catch((error: unknown) => {
        if (OperatingError.is(error)) throw error;
        throw new RemoteReadError(0, 'influxdb does not answer', { cause: error });
      });
    if (answer.status === 200) return answer.body;
    const said = new TextDecoder().decode(answer.body.subarray(0, 500)).trim();
    throw new RemoteReadError(answer.status, `influxdb: HTTP status ${answer.status}: ${said}`);
  }
}

class Batches implements SeriesSource {
  readonly warnings = [];
  #left: readonly SeriesColumns[];

  constructor(series: readonly SeriesColumns[]) {
    this.#left = series;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    const batch = this.#left.slice(0, BATCH_SERIES);
    this.#left = this.#left.slice(BATCH_SERIES);
    return batch.length === 0 ? null : batch;
  }

  close(): void {
    this.#left = [];
  }
}
