import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkOpenMetrics, ParseError, parseExposition, ScrapeTemplate } from './index.ts';

const conformance =
  process.env.POLLUX_CONFORMANCE ??
  fileURLToPath(new URL('../../../../shared/conformance', import.meta.url));
const openMetrics = join(conformance, 'openmetrics');
const expositions = join(conformance, 'exposition');
const reason = existsSync(conformance)
  ? ''
  : ' (skipped: no conformance data, set POLLUX_CONFORMANCE)';

function bytesOf(...path: string[]): Uint8Array {
  return readFileSync(join(...path));
}

describe.skipIf(reason !== '')(`OpenMetrics' own parser cases${reason}`, () => {
  const cases = reason === '' ? readdirSync(openMetrics) : [];

  it('are there', () => expect(cases.length).toBeGreaterThan(200));

  it.each(cases)('%s', (name) => {
    const { shouldParse } = JSON.parse(readFileSync(join(openMetrics, name, 'test.json'), 'utf8'));
    const check = (): void => checkOpenMetrics(bytesOf(openMetrics, name, 'metrics'));
    if (shouldParse) expect(check).not.toThrow();
    else expect(check).toThrow(ParseError);
  });

  it.each(cases)('%s: what should parse is scraped, and template and parser agree', (name) => {
    const { shouldParse } = JSON.parse(readFileSync(join(openMetrics, name, 'test.json'), 'utf8'));
    const bytes = bytesOf(openMetrics, name, 'metrics');
    let samples = 0;
    let fault: unknown = null;
    try {
      parseExposition(bytes, 'openmetrics', {
        sample: (line) => {
          line.labels();
          samples++;
        },
      });
    } catch (error) {
      fault = error;
    }
    const template = new ScrapeTemplate('openmetrics');
    if (shouldParse) expect(fault).toBeNull();
    if (fault === null) {
      template.parse(bytes);
      expect(template.columns.count).toBe(samples);
    } else {
      expect(() => template.parse(bytes)).toThrow(ParseError);
    }
  });
});

describe.skipIf(reason !== '')(`real expositions${reason}`, () => {
  it.each([
    ['1histogram.om.txt', 'openmetrics'],
    ['alltypes.5mfs.om.txt', 'openmetrics'],
    ['alltypes.237mfs.prom.txt', 'text'],
    ['alltypes.237mfs.nometa.prom.txt', 'text'],
  ] as const)('%s parses, and again with every line recognised', (name, format) => {
    const bytes = bytesOf(expositions, name);
    const template = new ScrapeTemplate(format);
    template.parse(bytes);
    const { count } = template.columns;
    const values = template.columns.values.slice(0, count);
    expect(count).toBeGreaterThan(10);
    expect(template.newSeries.length).toBe(count);
    template.parse(Uint8Array.from(bytes));
    expect(template.columns.values.slice(0, count)).toEqual(values);
    expect(template.newSeries).toEqual([]);
    // OpenMetrics lines with exemplars or fractions of seconds, and # EOF, are left to the line parser.
    if (format === 'text') expect(template.recognisedLines).toBe(template.lines);
  });
});
