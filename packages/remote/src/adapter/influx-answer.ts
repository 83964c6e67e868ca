import { Labels, METRIC_NAME } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { RemoteReadError } from '../errors.ts';

/** One line of an answer in pieces; a series may go on in the next. */
type Piece = {
  readonly error?: string;
  readonly results?: readonly { readonly error?: string; readonly series?: readonly Series[] }[];
};
type Series = {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, number | null])[];
};

const NEW_LINE = 10;

/** The samples of an answer, by series, in columns. */
export class InfluxAnswer {
  readonly #found = new Map<string, Samples>();

  /** Reads the answer to a query for one field. Throws RemoteReadError. */
  constructor(body: Uint8Array) {
    for (let start = 0; start < body.length; ) {
      const at = body.indexOf(NEW_LINE, start);
      const end = at < 0 ? body.length : at;
      if (end > start) this.#read(body.subarray(start, end));
      start = end + 1;
    }
  }

  series(): SeriesColumns[] {
    return [...this.#found.values()].map((samples) => samples.columns());
  }

  #read(line: Uint8Array): void {
    let piece: Piece;
    try {
      piece = JSON.parse(new TextDecoder().decode(line)) as Piece;
    } catch (cause) {
      throw new RemoteReadError(200, 'influxdb: the answer is no JSON', { cause });
    }
    const { results = [] } = piece;
    for (const { error } of [piece, ...results]) {
      if (error !== undefined) throw new RemoteReadError(200, `influxdb: ${error}`);
    }
    for (const { series = [] } of results) for (const one of series) this.#add(one);
  }

  #add({ name, tags = {}, values = [] }: Series): void {
    // Tags of other series of the measurement come with an empty text, which is no label.
    const labels = Labels.from({ ...tags, [METRIC_NAME]: name });
    const key = labels.toString();
    const samples = this.#found.get(key) ?? new Samples(labels);
    this.#found.set(key, samples);
    for (const [timestampMs, value] of values) if (value !== null) samples.add(timestampMs, value);
  }
}

/** Of one series; arrays grow by half. */
class Samples {
  readonly #labels: Labels;
  #timestampsMs = new Float64Array(16);
  #values = new Float64Array(16);
  #count = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  /** In the order of their times. Of points within one millisecond, which others may have written, the first is taken. */
  add(timestampMs: number, value: number): void {
    const count = this.#count;
    if (count > 0 && this.#timestampsMs[count - 1]! >= timestampMs) return;
    if (count === this.#values.length) {
      this.#timestampsMs = grown(this.#timestampsMs);
      this.#values = grown(this.#values);
    }
    this.#timestampsMs[count] = timestampMs;
    this.#values[count] = value;
    this.#count++;
  }

  columns(): SeriesColumns {
    return {
      labels: this.#labels,
      count: this.#count,
      timestampsMs: this.#timestampsMs.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
    };
  }
}

function grown(from: Float64Array): Float64Array<ArrayBuffer> {
  const to = new Float64Array(Math.ceil(from.length * 1.5));
  to.set(from);
  return to;
}
