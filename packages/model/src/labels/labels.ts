export const METRIC_NAME = '__name__';
export const ALERT_NAME = 'alertname';
export const BUCKET_LABEL = 'le';
export const INSTANCE_LABEL = 'instance';
export const JOB_LABEL = 'job';

/**
 * An immutable label set, sorted by name (bytewise over UTF-8), without empty values: Prometheus' data model, in which an
 * empty value is the same as no label. Pairs lie flat in one array, name then value.
 */
export class Labels {
  static readonly EMPTY = new Labels([]);

  readonly #flat: readonly string[];

  private constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** From pairs in any order; later duplicates win, empty values drop out. */
  static from(
    pairs: Iterable<readonly [string, string]> | Readonly<Record<string, string>>,
  ): Labels {
    const byName = new Map<string, string>();
    for (const [name, value] of entriesOf(pairs)) {
      if (value === '') byName.delete(name);
      else byName.set(name, value);
    }
    return new Labels(sortedFlat(byName));
  }

  /**
   * Annotations: like labels in form and order, but an empty text stays, as in Prometheus, since a receiver may tell it from
   * none. Later duplicates win.
   */
  static annotations(
    pairs: Iterable<readonly [string, string]> | Readonly<Record<string, string>>,
  ): Labels {
    return Labels.fromSortedFlat(sortedFlat(new Map(entriesOf(pairs))));
  }

  /** Takes `flat` (name, value, name, value …) as it is: sorted, unique, no empty value. The caller gives it away. */
  static fromSortedFlat(flat: readonly string[]): Labels {
    return flat.length === 0 ? Labels.EMPTY : new Labels(flat);
  }

  /** Number of labels. */
  get size(): number {
    return this.#flat.length / 2;
  }

  get isEmpty(): boolean {
    return this.#flat.length === 0;
  }

  nameAt(index: number): string {
    return this.#flat[index * 2]!;
  }

  valueAt(index: number): string {
    return this.#flat[index * 2 + 1]!;
  }

  /** The value, or an empty string when the label is absent. */
  get(name: string): string {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) return flat[i + 1]!;
    }
    return '';
  }

  has(name: string): boolean {
    return this.get(name) !== '';
  }

  get metricName(): string {
    return this.get(METRIC_NAME);
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) yield [flat[i]!, flat[i + 1]!];
  }

  /** A key equal exactly for equal sets: parts joined by a lone surrogate, which no text decoded from UTF-8 holds. */
  key(): string {
    return this.#flat.join('\ud800');
  }

  equals(other: Labels): boolean {
    const a = this.#flat;
    const b = other.#flat;
    if (a === b) return true;
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** Prometheus' order: pairwise by name, then value; a prefix comes first. */
  compare(other: Labels): number {
    const a = this.#flat;
    const b = other.#flat;
    const shared = Math.min(a.length, b.length);
    for (let i = 0; i < shared; i++) {
      if (a[i] !== b[i]) return compareText(a[i]!, b[i]!);
    }
    return a.length - b.length;
  }

  /** This set with `name` set to `value`; an empty value removes it. */
  with(name: string, value: string): Labels {
    return Labels.from([...this, [name, value]]);
  }

  /** Only the named labels. */
  keep(names: ReadonlySet<string>): Labels {
    return filter(this, (name) => names.has(name));
  }

  /** Without the named labels. */
  drop(names: ReadonlySet<string>): Labels {
    return filter(this, (name) => !names.has(name));
  }

  withoutMetricName(): Labels {
    const flat = this.#flat;
    let at = 0;
    while (at < flat.length && flat[at] !== METRIC_NAME) at += 2;
    if (at === flat.length) return this;
    // Queries do this for each series: an array that grew by and by would be twice as long.
    const rest = new Array<string>(flat.length - 2);
    for (let i = 0; i < at; i++) rest[i] = flat[i]!;
    for (let i = at; i < rest.length; i++) rest[i] = flat[i + 2]!;
    return Labels.fromSortedFlat(rest);
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(this);
  }

  /** `{a="b", c="d"}` as Prometheus prints a label set; names that are no legacy names are quoted. */
  toString(): string {
    const parts: string[] = [];
    for (const [name, value] of this) parts.push(`${quoteNameIfNeeded(name)}=${quoteText(value)}`);
    return `{${parts.join(', ')}}`;
  }

  /** `name{a="b"}` as Prometheus prints a metric; the name goes inside the braces when it is no legacy name. */
  toMetricString(): string {
    const name = this.metricName;
    if (name === '' || !isLegacyMetricName(name)) {
      const rest = this.withoutMetricName();
      if (name === '') return rest.toString();
      const inner = [quoteText(name)];
      for (const [label, value] of rest)
        inner.push(`${quoteNameIfNeeded(label)}=${quoteText(value)}`);
      return `{${inner.join(', ')}}`;
    }
    const rest = this.withoutMetricName();
    return rest.isEmpty ? name : name + rest.toString();
  }
}

function entriesOf(
  pairs: Iterable<readonly [string, string]> | Readonly<Record<string, string>>,
): Iterable<readonly [string, string]> {
  return Symbol.iterator in pairs ? pairs : Object.entries(pairs);
}

function sortedFlat(byName: ReadonlyMap<string, string>): string[] {
  const flat: string[] = [];
  for (const name of [...byName.keys()].sort(compareText)) flat.push(name, byName.get(name)!);
  return flat;
}

// A function, not a private method: the compiler's output of a private method that names its own class breaks `EMPTY`.
function filter(labels: Labels, keep: (name: string) => boolean): Labels {
  const flat: string[] = [];
  for (let index = 0; index < labels.size; index++) {
    const name = labels.nameAt(index);
    if (keep(name)) flat.push(name, labels.valueAt(index));
  }
  return flat.length === labels.size * 2 ? labels : Labels.fromSortedFlat(flat);
}

/** Collects changes over a base set; cheaper than one `with` per label. */
export class LabelsBuilder {
  readonly #values: Map<string, string>;

  constructor(base: Labels = Labels.EMPTY) {
    this.#values = new Map(base);
  }

  get(name: string): string {
    return this.#values.get(name) ?? '';
  }

  /** An empty value removes the label. */
  set(name: string, value: string): this {
    if (value === '') this.#values.delete(name);
    else this.#values.set(name, value);
    return this;
  }

  delete(name: string): this {
    this.#values.delete(name);
    return this;
  }

  names(): string[] {
    return [...this.#values.keys()];
  }

  build(): Labels {
    return Labels.from(this.#values);
  }
}

/**
 * Bytewise UTF-8 order of two strings. UTF-16 order differs only where a surrogate meets U+E000..U+FFFF, so the plain
 * comparison decides unless both sides hold such units.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates above the rest of the basic plane, as their code points are. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

export function isLegacyMetricName(name: string): boolean {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
}

export function isLegacyLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}

function quoteNameIfNeeded(name: string): string {
  return isLegacyLabelName(name) ? name : quoteText(name);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** A double-quoted string literal as Go's strconv.Quote writes it, which PromQL and the APIs print. */
export function quoteText(text: string): string {
  // Printable ASCII without quote or backslash is the rule; the rest takes the slow way.
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const short = SHORT_ESCAPES[char];
    const code = char.codePointAt(0)!;
    if (short !== undefined) out += short;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code < 0x7f || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}
