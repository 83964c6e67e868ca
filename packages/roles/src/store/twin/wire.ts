import { InputError } from '@pollux/base';
import { Labels } from '@pollux/model';
import { BUCKETS, type Copy, type Difference, WINDOW_MS } from '@pollux/shards';
import type { FieldKind } from '@pollux/storage';

/** Where stores compare what they hold: GET gives the sums of a window, POST the copies of a bucket that the asker lacks. */
export const TWIN_PATH = '/api/v1/pollux/twin';

const KINDS: readonly FieldKind[] = ['float', 'integer', 'boolean', 'string', 'unsigned'];

/** A copy as a line of JSON; columns are base64 of little-endian words. */
type WireCopy = {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly replica: string;
  readonly field: string;
  readonly kind: FieldKind;
  readonly times: string;
  readonly nanos: string | null;
  readonly cells: string;
  readonly texts: readonly string[] | null;
};

export function encodeDifference({ copies, isWhole }: Difference): string {
  const wire = copies.map(({ measurement, tags, replica, field, kind, data }): WireCopy => {
    const { count, timesMs, nanos, cells, texts } = data;
    return {
      measurement,
      tags: tags.toObject(),
      replica,
      field,
      kind,
      times: base64Of(timesMs.subarray(0, count)),
      nanos: nanos === null ? null : base64Of(nanos.subarray(0, count)),
      cells: texts === null ? base64Of(cells.subarray(0, count)) : '',
      texts:
        texts === null ? null : Array.from(cells.subarray(0, count), (cell) => texts[cell] ?? ''),
    };
  });
  return JSON.stringify({ isWhole, copies: wire });
}

/** Throws InputError for what is no answer to a question about the window. */
export function decodeDifference(text: string, startMs: number): Difference {
  const wire = objectOf(parse(text));
  if (!Array.isArray(wire.copies)) throw badAnswer('has no copies');
  return {
    isWhole: wire.isWhole === true,
    copies: wire.copies.map((one) => copyOf(objectOf(one), startMs)),
  };
}

function copyOf(wire: Readonly<Record<string, unknown>>, startMs: number): Copy {
  const kind = KINDS.find((one) => one === wire.kind);
  const replica = textOf(wire.replica);
  if (kind === undefined || replica === '') throw badAnswer('has a copy of no type or replica');
  const timesMs = new Float64Array(bytesOf(wire.times, 8));
  const count = timesMs.length;
  const nanos = wire.nanos === null ? null : new Int32Array(bytesOf(wire.nanos, 4));
  for (let i = 0; i < count; i++) {
    const ms = timesMs[i]!;
    const rest = nanos?.[i] ?? 0;
    const isWithin = ms >= startMs && ms < startMs + WINDOW_MS && rest >= 0 && rest < 1_000_000;
    const isAfter =
      i === 0 || ms > timesMs[i - 1]! || (ms === timesMs[i - 1] && rest > (nanos?.[i - 1] ?? 0));
    if (!isWithin || !isAfter || !Number.isInteger(ms)) throw badAnswer('has times out of place');
  }
  let texts: string[] | null = null;
  let cells: Float64Array;
  if (kind === 'string') {
    if (!Array.isArray(wire.texts)) throw badAnswer('has no texts');
    texts = wire.texts.map(textOf);
    cells = Float64Array.from(texts, (_, i) => i);
  } else cells = new Float64Array(bytesOf(wire.cells, 8));
  if (cells.length !== count || (nanos !== null && nanos.length !== count))
    throw badAnswer('has columns of different lengths');
  const tags: Record<string, string> = {};
  for (const [name, value] of Object.entries(objectOf(wire.tags))) tags[name] = textOf(value);
  return {
    measurement: textOf(wire.measurement),
    tags: Labels.from(tags),
    replica,
    field: textOf(wire.field),
    kind,
    data: { kind, count, timesMs, nanos, cells, texts },
  };
}

/** Throws InputError. */
export function decodeSums(text: string): readonly number[] {
  const { sums } = objectOf(parse(text));
  if (!Array.isArray(sums) || sums.length !== BUCKETS) throw badAnswer('has no sums');
  return sums.map(numberOf);
}

/** What a store says that it holds of a bucket. Throws InputError. */
export function decodeHeld(text: string): ReadonlyMap<string, number> {
  const { held } = objectOf(parse(text));
  return new Map(Object.entries(objectOf(held)).map(([name, sum]) => [name, numberOf(sum)]));
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw badAnswer('is no object');
  return value as Readonly<Record<string, unknown>>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError('ROLES.TWIN', '', 'what a twin sent is no JSON', { cause: error });
  }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw badAnswer('has something else in place of a text');
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw badAnswer('has something else in place of a number');
  return value;
}

function bytesOf(value: unknown, wordBytes: number): ArrayBuffer {
  const bytes = Buffer.from(textOf(value), 'base64');
  if (bytes.length % wordBytes !== 0) throw badAnswer('has a column that is cut short');
  return new Uint8Array(bytes).buffer;
}

function base64Of(column: Float64Array | Int32Array): string {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('base64');
}

function badAnswer(what: string): InputError {
  return new InputError('ROLES.TWIN', '', `what a twin sent ${what}`);
}
