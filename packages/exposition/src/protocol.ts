/** The text formats this room parses, whatever version was negotiated. */
export type TextFormat = 'text' | 'openmetrics';
export type ExpositionFormat = TextFormat | 'protobuf';

/** Names as `scrape_protocols` spells them. */
export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'PrometheusText0.0.4'
  | 'PrometheusText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'OpenMetricsText1.0.0';

export type EscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values';

const MEDIA_TYPES: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto:
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
};

export const SCRAPE_PROTOCOLS = Object.keys(MEDIA_TYPES) as readonly ScrapeProtocol[];

/** Prometheus' order when neither the job nor `global` names one. */
export const DEFAULT_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

/** The order where native histograms are scraped: of all formats, protobuf alone carries them. */
export const PROTOBUF_FIRST_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'PrometheusProto',
  ...DEFAULT_SCRAPE_PROTOCOLS,
];

/** The Accept header of a scrape: weights fall from 0.6, anything comes last, and only the 1.0.0 formats know `escaping`. */
export function acceptHeader(
  protocols: readonly ScrapeProtocol[],
  escaping: EscapingScheme,
): string {
  let weight = SCRAPE_PROTOCOLS.length + 1;
  const parts: string[] = [];
  for (const protocol of protocols) {
    const suffix = protocol.endsWith('1.0.0') ? `;escaping=${escaping}` : '';
    parts.push(`${MEDIA_TYPES[protocol]}${suffix};q=0.${weight}`);
    weight--;
  }
  parts.push(`*/*;q=0.${weight}`);
  return parts.join(',');
}

export type Negotiated =
  | { readonly kind: 'format'; readonly format: ExpositionFormat }
  | { readonly kind: 'refused'; readonly reason: string };

/** The parser for an answer's Content-Type. The version parameter does not matter; the fallback serves unknown types. */
export function negotiate(contentType: string, fallback: ScrapeProtocol | null): Negotiated {
  const known = formatOfMediaType(contentType);
  if (known !== null) return known;
  if (fallback !== null) return { kind: 'format', format: FORMATS[fallback] };
  const reason =
    contentType === ''
      ? 'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target'
      : `received unsupported Content-Type ${JSON.stringify(contentType)} and no fallback_scrape_protocol specified for target`;
  return { kind: 'refused', reason };
}

const FORMATS: Readonly<Record<ScrapeProtocol, ExpositionFormat>> = {
  PrometheusProto: 'protobuf',
  'PrometheusText0.0.4': 'text',
  'PrometheusText1.0.0': 'text',
  'OpenMetricsText0.0.1': 'openmetrics',
  'OpenMetricsText1.0.0': 'openmetrics',
};

function formatOfMediaType(contentType: string): Negotiated | null {
  switch (contentType.split(';', 1)[0]?.trim().toLowerCase()) {
    case 'text/plain':
      return { kind: 'format', format: 'text' };
    case 'application/openmetrics-text':
      return { kind: 'format', format: 'openmetrics' };
    case 'application/vnd.google.protobuf':
      return { kind: 'format', format: 'protobuf' };
    default:
      return null;
  }
}
