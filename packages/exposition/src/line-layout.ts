import type { MetricType } from '@pollux/model';

/** What a remembered line is; stored in a Uint8Array. A TYPE line is `LINE.type` plus the index of its type. */
export const LINE = {
  /** Recognised up to its value. */
  sample: 0,
  /** A line without a sample that changes nothing for the lines behind it; recognised whole. */
  other: 1,
  /** A TYPE line, recognised whole; it sets the type for the lines that follow. */
  type: 2,
} as const;

const TYPES: readonly MetricType[] = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
];

export function typeLine(type: MetricType): number {
  return LINE.type + TYPES.indexOf(type);
}

/** The type that a line of a kind from `LINE.type` on sets. */
export function typeOfLine(kind: number): MetricType {
  return TYPES[kind - LINE.type]!;
}

/**
 * The lines of one scrape as columns: where the part that must be equal starts, how long it is, and whose it is (series id
 * for samples, family index or -1 for other lines).
 */
export class LineLayout {
  count = 0;
  starts = new Uint32Array(0);
  lengths = new Uint32Array(0);
  kinds = new Uint8Array(0);
  targets = new Int32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Per series id the line where it stood last. Entries of earlier scrapes are told apart by `targets`. */
  #lineOf = new Uint32Array(0);

  /** Empties the layout and binds it to `bytes`. */
  begin(bytes: Uint8Array): void {
    this.count = 0;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  add(start: number, length: number, kind: number, target: number): void {
    const index = this.count;
    if (index === this.starts.length) this.#grow();
    this.starts[index] = start;
    this.lengths[index] = length;
    this.kinds[index] = kind;
    this.targets[index] = target;
    this.count = index + 1;
    if (kind !== LINE.sample) return;
    if (target >= this.#lineOf.length) {
      const lineOf = new Uint32Array(Math.max(64, target * 2));
      lineOf.set(this.#lineOf);
      this.#lineOf = lineOf;
    }
    this.#lineOf[target] = index;
  }

  /** The line behind the one where series `id` stood, or `otherwise` when it did not stand here. */
  behind(id: number, otherwise: number): number {
    const line = id < this.#lineOf.length ? this.#lineOf[id]! : this.count;
    const isHere =
      line < this.count && this.kinds[line] === LINE.sample && this.targets[line] === id;
    return isHere ? line + 1 : otherwise;
  }

  /** Makes the lines of these series (ids below `idLimit`) unrecognisable, so that the ids can be given away. */
  forget(ids: readonly number[], idLimit: number): void {
    const isGone = new Uint8Array(idLimit);
    for (const id of ids) isGone[id] = 1;
    for (let line = 0; line < this.count; line++) {
      if (this.kinds[line] !== LINE.sample || isGone[this.targets[line]!] === 0) continue;
      // A length beyond every body never matches, and a line of nobody is never resynchronised to.
      this.lengths[line] = 0xffff_ffff;
      this.targets[line] = -1;
    }
  }

  /** True when the bytes of `line` also stand at `at` in the scrape that `other` is bound to. */
  matches(line: number, other: LineLayout, at: number): boolean {
    const length = this.lengths[line]!;
    if (at + length > other.#bytes.length) return false;
    const a = this.#view;
    const b = other.#view;
    const start = this.starts[line]!;
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      if (a.getInt32(start + i, true) !== b.getInt32(at + i, true)) return false;
    }
    for (; i < length; i++) {
      if (a.getUint8(start + i) !== b.getUint8(at + i)) return false;
    }
    return true;
  }

  #grow(): void {
    const capacity = Math.max(64, this.starts.length * 2);
    const starts = new Uint32Array(capacity);
    const lengths = new Uint32Array(capacity);
    const kinds = new Uint8Array(capacity);
    const targets = new Int32Array(capacity);
    starts.set(this.starts);
    lengths.set(this.lengths);
    kinds.set(this.kinds);
    targets.set(this.targets);
    this.starts = starts;
    this.lengths = lengths;
    this.kinds = kinds;
    this.targets = targets;
  }
}
