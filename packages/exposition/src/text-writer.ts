import {
  formatFloat,
  isLegacyLabelName,
  isLegacyMetricName,
  type Labels,
  METRIC_NAME,
  type Metadata,
} from '@pollux/model';

/** Builds an exposition in the text format 1.0.0 (0.0.4 as long as all names are legacy names). */
export class TextWriter {
  readonly #parts: string[] = [];

  /** HELP (when there is one) and TYPE of the family that follows. */
  family(name: string, metadata: Metadata): this {
    const shown = isLegacyMetricName(name) ? name : quoteValue(name);
    if (metadata.help !== '') {
      const help = metadata.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      this.#parts.push(`# HELP ${shown} ${help}\n`);
    }
    this.#parts.push(`# TYPE ${shown} ${textType(metadata.type)}\n`);
    return this;
  }

  /** `timestampMs` null or absent: none is written. */
  sample(labels: Labels, value: number, timestampMs: number | null = null): this {
    const time = timestampMs === null ? '' : ` ${timestampMs}`;
    this.#parts.push(`${seriesText(labels)} ${formatFloat(value)}${time}\n`);
    return this;
  }

  toString(): string {
    return this.#parts.join('');
  }
}

function seriesText(labels: Labels): string {
  const name = labels.metricName;
  const isLegacy = isLegacyMetricName(name);
  const inner = isLegacy || name === '' ? [] : [quoteValue(name)];
  for (const [label, value] of labels) {
    if (label === METRIC_NAME) continue;
    inner.push(`${isLegacyLabelName(label) ? label : quoteValue(label)}=${quoteValue(value)}`);
  }
  const braces = inner.length === 0 ? '' : `{${inner.join(',')}}`;
  return isLegacy ? name + braces : braces;
}

function quoteValue(text: string): string {
  if (!/[\\\n"]/.test(text)) return `"${text}"`;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`;
}

/** The text format knows five types; OpenMetrics' others are written as the nearest of them. */
function textType(type: Metadata['type']): string {
  switch (type) {
    case 'counter':
    case 'gauge':
    case 'histogram':
    case 'summary':
      return type;
    case 'info':
    case 'stateset':
      return 'gauge';
    case 'gaugehistogram':
      return 'histogram';
    case 'unknown':
      return 'untyped';
  }
}
