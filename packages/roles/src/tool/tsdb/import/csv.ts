import { type Files, InputError } from '@pollux/base';
import { Labels, METRIC_NAME, parseFloatText, wordsOf } from '@pollux/model';
import { CsvReader } from './csv-reader.ts';
import { FilePieces } from './file-pieces.ts';
import type { SampleSource, SampleTarget } from './sample-source.ts';

export const CSV_TIME_FORMATS = ['rfc3339', 'unix_s', 'unix_ms', 'unix_us', 'unix_ns'] as const;
export type CsvTimeFormat = (typeof CSV_TIME_FORMATS)[number];

/** Which column means what. Columns go by their name in the first row, or by number from 1 without one. */
export type CsvMapping = {
  readonly delimiter: string;
  readonly hasHeader: boolean;
  readonly time: string;
  readonly timeFormat: CsvTimeFormat;
  /** Column → name of the metric; with `metric` set, its one name is not used. */
  readonly values: Readonly<Record<string, string>>;
  /** Column with the name of the metric, or empty. */
  readonly metric: string;
  /** Column → label. */
  readonly labels: Readonly<Record<string, string>>;
  /** Put on every series; they win. */
  readonly extra: Readonly<Record<string, string>>;
};

/** The samples of a CSV file: a row gives one of each value column; empty cells give none. */
export function csvSource(files: Files, path: string, mapping: CsvMapping): SampleSource {
  return async (target) => {
    const pieces = new FilePieces(files, path);
    const decoder = new TextDecoder();
    const reader = new CsvReader(mapping.delimiter);
    let rows: RowReader | null = mapping.hasHeader ? null : new RowReader(mapping, null, path);
    const take = (text: string, isLast: boolean): void => {
      for (const cells of reader.rows(text, isLast)) {
        if (rows === null) rows = new RowReader(mapping, cells, path);
        else rows.read(cells, reader.line, target);
      }
    };
    try {
      for (let bytes = pieces.next(); bytes !== null; bytes = pieces.next()) {
        take(decoder.decode(bytes, { stream: true }), false);
        await target.pause(pieces.doneBytes, pieces.totalBytes);
      }
      take(decoder.decode(), true);
    } finally {
      pieces.close();
    }
  };
}

class RowReader {
  readonly #mapping: CsvMapping;
  readonly #path: string;
  readonly #time: number;
  readonly #metric: number;
  readonly #values: readonly (readonly [number, string])[];
  readonly #labels: readonly (readonly [number, string])[];
  readonly #value = new Float64Array(1);
  readonly #words = wordsOf(this.#value);

  constructor(mapping: CsvMapping, header: readonly string[] | null, path: string) {
    this.#mapping = mapping;
    this.#path = path;
    const at = (column: string): number => {
      const index = header === null ? Number(column) - 1 : header.indexOf(column);
      if (Number.isSafeInteger(index) && index >= 0) return index;
      const known =
        header === null ? 'columns have numbers from 1' : `there are ${header.join(', ')}`;
      throw new InputError('ROLES.IMPORT', path, `no column ${JSON.stringify(column)}: ${known}`);
    };
    this.#time = at(mapping.time);
    this.#metric = mapping.metric === '' ? -1 : at(mapping.metric);
    this.#values = Object.entries(mapping.values).map(([column, name]) => [at(column), name]);
    this.#labels = Object.entries(mapping.labels).map(([column, label]) => [at(column), label]);
  }

  read(cells: readonly string[], line: number, target: SampleTarget): void {
    const timeText = cells[this.#time] ?? '';
    const timestampMs = csvTimeMs(timeText, this.#mapping.timeFormat);
    if (Number.isNaN(timestampMs))
      throw this.#fault(
        line,
        `${JSON.stringify(timeText)} is no time of form ${this.#mapping.timeFormat}`,
      );
    for (const [column, fixedName] of this.#values) {
      const text = (cells[column] ?? '').trim();
      if (text === '') continue;
      const value = parseFloatText(text);
      if (value === null) throw this.#fault(line, `${JSON.stringify(text)} is no number`);
      const name = this.#metric < 0 ? fixedName : (cells[this.#metric] ?? '');
      if (name === '') throw this.#fault(line, 'the metric has no name');
      this.#value[0] = value;
      const labelCells = this.#labels.map(([cell]) => cells[cell] ?? '');
      target.add([name, ...labelCells].join('\u0000'), () => this.#series(name, labelCells), {
        timestampMs,
        valueLow: this.#words[0]!,
        valueHigh: this.#words[1]!,
      });
    }
  }

  #series(name: string, labelCells: readonly string[]): Labels {
    const pairs = this.#labels.map(([, label], i) => [label, labelCells[i]!] as const);
    const extra = Object.entries(this.#mapping.extra);
    return Labels.from([...pairs, [METRIC_NAME, name] as const, ...extra]);
  }

  #fault(line: number, what: string): InputError {
    return new InputError('ROLES.IMPORT', `${this.#path}, line ${line}`, what);
  }
}

const UNITS_PER_MS = { unix_ms: 1n, unix_us: 1_000n, unix_ns: 1_000_000n } as const;

/** Whole milliseconds, rounded down; NaN for text of another form. */
function csvTimeMs(text: string, format: CsvTimeFormat): number {
  const trimmed = text.trim();
  switch (format) {
    case 'rfc3339':
      return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(trimmed)
        ? Date.parse(trimmed.replace(' ', 'T'))
        : Number.NaN;
    case 'unix_s':
      // Rounded first: 0.123 s times a thousand is not always whole.
      return /^[+-]?\d+(\.\d+)?$/.test(trimmed)
        ? Math.floor(Math.round(Number(trimmed) * 1e6) / 1e3)
        : Number.NaN;
    default: {
      if (!/^[+-]?\d{1,19}$/.test(trimmed)) return Number.NaN;
      const value = BigInt(trimmed);
      const unit = UNITS_PER_MS[format];
      const whole = value / unit;
      return Number(value % unit < 0n ? whole - 1n : whole);
    }
  }
}
