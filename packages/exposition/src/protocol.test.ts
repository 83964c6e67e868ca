import { describe, expect, it } from 'vitest';
import {
  acceptHeader,
  DEFAULT_SCRAPE_PROTOCOLS,
  formatOpenMetricsFloat,
  negotiate,
  PROTOBUF_FIRST_SCRAPE_PROTOCOLS,
} from './index.ts';

describe('negotiation', () => {
  it('asks as Prometheus does', () => {
    expect(acceptHeader(DEFAULT_SCRAPE_PROTOCOLS, 'allow-utf-8')).toBe(
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    );
  });

  it('asks for protobuf first where native histograms are scraped', () => {
    expect(acceptHeader(PROTOBUF_FIRST_SCRAPE_PROTOCOLS, 'underscores')).toBe(
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    );
  });

  it.each([
    ['text/plain; version=0.0.4; charset=utf-8', null, 'text'],
    ['application/openmetrics-text; version=1.0.0', null, 'openmetrics'],
    ['application/json', 'PrometheusText0.0.4', 'text'],
    ['', 'OpenMetricsText1.0.0', 'openmetrics'],
    ['application/vnd.google.protobuf; encoding=delimited', null, 'protobuf'],
    ['', 'PrometheusProto', 'protobuf'],
  ] as const)('takes %j with fallback %s as %s', (type, fallback, format) => {
    expect(negotiate(type, fallback)).toEqual({ kind: 'format', format });
  });

  it.each([
    ['', 'blank Content-Type'],
    ['text/html', 'unsupported Content-Type "text/html"'],
  ])('refuses %j without fallback', (type, text) => {
    expect(negotiate(type, null)).toEqual({
      kind: 'refused',
      reason: expect.stringContaining(text),
    });
  });
});

describe('bucket bounds', () => {
  it.each([
    [1, '1.0'],
    [0, '0.0'],
    [0.25, '0.25'],
    [100_000, '100000.0'],
    [1e6, '1e+06'],
    [1.5e7, '1.5e+07'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [-1, '-1.0'],
  ])('%d is spelt %s', (bound, text) => {
    expect(formatOpenMetricsFloat(bound)).toBe(text);
  });
});
