import { type Labels, METRIC_NAME, type MetricType, parseFloatText } from '@pollux/model';
import { LineParser } from './line-parser.ts';
import { HistogramPoint } from './openmetrics-histogram.ts';

const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
  summary: ['', '_count', '_sum', '_created'],
  info: ['_info'],
  stateset: [''],
  unknown: [''],
};
const MAX_EXEMPLAR_CHARACTERS = 128;

/**
 * Judges an exposition by the whole of OpenMetrics 1.0: order and uniqueness of families and metrics, suffixes, values and
 * labels that each type allows, histograms, exemplars. Scraping does not ask for this, as Prometheus does not: exporters in
 * the field break these rules and their samples are still good. Throws ParseError.
 */
export function checkOpenMetrics(bytes: Uint8Array): void {
  const checker = new Checker(bytes);
  checker.run();
}

type Family = {
  readonly name: string;
  type: MetricType;
  unit: string;
  readonly described: Set<string>;
  hasSamples: boolean;
};

class Checker {
  readonly #parser = new LineParser('openmetrics');
  #lineStart = 0;
  #family: Family | null = null;
  /** Sample names that families so far may use, and their owners. */
  readonly #claims = new Map<string, string>();
  readonly #closedFamilies = new Set<string>();
  readonly #closedGroups = new Set<string>();
  #group: string | null = null;
  /** Time of the last sample per series of the current group; NaN for none. */
  readonly #times = new Map<string, number>();
  #histogram: HistogramPoint | null = null;

  constructor(bytes: Uint8Array) {
    this.#parser.reset(bytes);
  }

  run(): void {
    const parser = this.#parser;
    while (parser.end < parser.bytes.length) {
      this.#lineStart = parser.end;
      const kind = parser.readLine(this.#lineStart);
      switch (kind) {
        case 'help':
        case 'type':
        case 'unit':
          this.#describe(kind);
          break;
        case 'sample':
          this.#sample();
          break;
        case 'eof':
          this.#endFamily();
          if (parser.end < parser.bytes.length)
            throw parser.error(parser.end, 'unexpected data after # EOF');
          return;
        case 'comment':
        case 'blank':
          this.#refuse('only HELP, TYPE and UNIT comments are allowed');
      }
    }
    throw parser.error(parser.bytes.length, 'data does not end with # EOF');
  }

  #refuse(reason: string): never {
    throw this.#parser.error(this.#lineStart, reason);
  }

  #describe(kind: 'help' | 'type' | 'unit'): void {
    const { metricName, metricType, text } = this.#parser;
    if (this.#family?.name !== metricName) this.#beginFamily(metricName);
    const family = this.#family!;
    if (family.hasSamples) this.#refuse('metadata must come before the samples of its family');
    if (family.described.has(kind))
      this.#refuse(`a second ${kind.toUpperCase()} line for one family`);
    family.described.add(kind);
    if (kind === 'type') family.type = metricType;
    if (kind === 'unit') family.unit = text;
    if (family.unit !== '' && (family.type === 'info' || family.type === 'stateset'))
      this.#refuse(`a family of type ${family.type} has no unit`);
  }

  #beginFamily(name: string): void {
    this.#endFamily();
    if (this.#closedFamilies.has(name)) this.#refuse(`the family ${name} appears twice`);
    this.#family = { name, type: 'unknown', unit: '', described: new Set(), hasSamples: false };
  }

  #endFamily(): void {
    this.#endGroup();
    this.#closedGroups.clear();
    const family = this.#family;
    if (family === null) return;
    for (const suffix of ['', ...SUFFIXES[family.type]]) {
      const owner = this.#claims.get(family.name + suffix) ?? family.name;
      if (owner !== family.name)
        this.#refuse(`families ${owner} and ${family.name} share sample names`);
      this.#claims.set(family.name + suffix, family.name);
    }
    this.#closedFamilies.add(family.name);
    this.#family = null;
  }

  #sample(): void {
    const labels = this.#parser.rawLabels();
    if (this.#parser.labelTokens.hasTrailingComma) this.#refuse('a comma before the closing brace');
    const name = labels.get(METRIC_NAME);
    let suffix = this.#family === null ? null : suffixOf(name, this.#family);
    if (suffix === null) {
      this.#beginFamily(name);
      suffix = '';
    }
    const family = this.#family!;
    family.hasSamples = true;
    this.#checkLabels(family, suffix, labels);
    this.#enterGroup(family, suffix, labels);
    this.#checkTime(labels);
    this.#checkValue(family, suffix);
    this.#checkHistogram(family, suffix, labels);
    if (this.#parser.hasExemplar) this.#checkExemplar(family, suffix);
  }

  #checkLabels(family: Family, suffix: string, labels: Labels): void {
    if (family.type === 'summary' && suffix === '') {
      const quantile = parseFloatText(labels.get('quantile'));
      if (quantile === null || !(quantile >= 0 && quantile <= 1))
        this.#refuse('a summary needs a quantile from 0 to 1');
    }
    if (family.type === 'stateset' && !labels.has(family.name))
      this.#refuse(`a state set needs the label ${family.name}`);
    if (suffix === '_bucket' && isHistogram(family.type)) {
      const text = labels.get('le');
      const bound = parseFloatText(text);
      if (bound === null || Number.isNaN(bound))
        this.#refuse('a bucket needs a number as label le');
      if (bound === Number.POSITIVE_INFINITY && text !== '+Inf')
        this.#refuse('the last bucket is spelt le="+Inf"');
    }
  }

  /** All samples of one metric, that is of one label set without le, quantile and state, stand together. */
  #enterGroup(family: Family, suffix: string, labels: Labels): void {
    const inner = new Set([METRIC_NAME]);
    if (suffix === '_bucket' && isHistogram(family.type)) inner.add('le');
    if (family.type === 'summary' && suffix === '') inner.add('quantile');
    if (family.type === 'stateset') inner.add(family.name);
    const group = labels.drop(inner).key();
    if (group === this.#group) return;
    this.#endGroup();
    if (this.#closedGroups.has(group)) this.#refuse('samples of one metric must stand together');
    this.#group = group;
  }

  #endGroup(): void {
    this.#endHistogram();
    if (this.#group !== null) this.#closedGroups.add(this.#group);
    this.#group = null;
    this.#times.clear();
  }

  #endHistogram(): void {
    const fault = this.#histogram?.endFault() ?? null;
    this.#histogram = null;
    if (fault !== null) this.#refuse(fault);
  }

  #checkTime(labels: Labels): void {
    const key = labels.key();
    const { timestampMs } = this.#parser;
    const before = this.#times.get(key);
    this.#times.set(key, timestampMs);
    if (before === undefined) return;
    if (Number.isNaN(before) && Number.isNaN(timestampMs)) this.#refuse('a series appears twice');
    if (Number.isNaN(before) !== Number.isNaN(timestampMs))
      this.#refuse('samples of one series must all have a timestamp or none');
    if (timestampMs < before) this.#refuse('timestamps of one series must not decrease');
  }

  #checkValue(family: Family, suffix: string): void {
    const { value } = this.#parser;
    const isNonNegative = value >= 0;
    switch (family.type) {
      case 'counter':
        if (!isNonNegative) this.#refuse('a counter must not be negative or NaN');
        break;
      case 'histogram':
      case 'gaugehistogram':
        if (Number.isNaN(value)) this.#refuse('a histogram must not hold NaN');
        if (suffix !== '_gsum' && !isNonNegative) this.#refuse('a histogram must not be negative');
        break;
      case 'summary':
        if (suffix === '' ? value < 0 : !isNonNegative)
          this.#refuse('a summary must not be negative, its sum and count not NaN');
        break;
      case 'info':
        if (value !== 1) this.#refuse('an info sample has the value 1');
        break;
      case 'stateset':
        if (value !== 0 && value !== 1) this.#refuse('a state has the value 0 or 1');
        break;
      case 'gauge':
      case 'unknown':
        break;
    }
  }

  #checkHistogram(family: Family, suffix: string, labels: Labels): void {
    if (!isHistogram(family.type) || suffix === '_created') return;
    const { value, timestampMs } = this.#parser;
    if (this.#histogram === null || !Object.is(this.#histogram.timestampMs, timestampMs)) {
      this.#endHistogram();
      this.#histogram = new HistogramPoint(timestampMs, family.type === 'gaugehistogram');
    }
    const fault = this.#histogram.add(
      suffix,
      parseFloatText(labels.get('le')) ?? Number.NaN,
      value,
    );
    if (fault !== null) this.#refuse(fault);
  }

  #checkExemplar(family: Family, suffix: string): void {
    const isAllowed =
      (family.type === 'counter' && suffix === '_total') ||
      (isHistogram(family.type) && suffix === '_bucket');
    if (!isAllowed) this.#refuse('exemplars belong to counters and buckets');
    let characters = 0;
    for (const [name, value] of this.#parser.exemplar().labels)
      characters += [...name].length + [...value].length;
    if (characters > MAX_EXEMPLAR_CHARACTERS)
      this.#refuse(`exemplar labels are longer than ${MAX_EXEMPLAR_CHARACTERS} characters`);
  }
}

function isHistogram(type: MetricType): boolean {
  return type === 'histogram' || type === 'gaugehistogram';
}

/** The suffix under which `name` belongs to the family, or null when it does not. */
function suffixOf(name: string, family: Family): string | null {
  if (!name.startsWith(family.name)) return null;
  const suffix = name.slice(family.name.length);
  return SUFFIXES[family.type].includes(suffix) ? suffix : null;
}
