import { isStaleAt, Labels, NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ParseError,
  parseExposition,
  ScrapeTemplate,
  type TextFormat,
  TextWriter,
} from './index.ts';

const encoder = new TextEncoder();

type Row = { labels: string; value: number; timestampMs: number };

/** What the line parser alone says; the judge of the template. */
function slow(bytes: Uint8Array, format: TextFormat): Row[] | ParseError {
  const rows: Row[] = [];
  try {
    parseExposition(bytes, format, {
      sample: (line) =>
        rows.push({
          labels: line.labels().toString(),
          value: line.value,
          timestampMs: line.timestampMs,
        }),
    });
  } catch (error) {
    if (error instanceof ParseError) return error;
    throw error;
  }
  return rows;
}

/** A template with the names of its series, as a scrape loop keeps them. */
class Follower {
  readonly template: ScrapeTemplate;
  readonly names = new Map<number, string>();

  constructor(format: TextFormat) {
    this.template = new ScrapeTemplate(format);
  }

  read(bytes: Uint8Array): Row[] | ParseError {
    const { template, names } = this;
    try {
      template.parse(bytes);
    } catch (error) {
      if (error instanceof ParseError) return error;
      throw error;
    }
    for (const { id, labels } of template.newSeries) names.set(id, labels.toString());
    const { columns } = template;
    return Array.from({ length: columns.count }, (_, i) => ({
      labels: names.get(columns.seriesIds[i]!) ?? 'nobody',
      value: columns.values[i]!,
      timestampMs: columns.timestamps[i]!,
    }));
  }

  /** Forgets what the last scrape did not bring, and every third series that it did, as a breach of a limit makes it. */
  forget(): void {
    const { columns } = this.template;
    const seen = new Set(columns.seriesIds.subarray(0, columns.count));
    const gone = [...this.names.keys()].filter((id) => !seen.has(id) || id % 3 === 0);
    for (const id of gone) this.names.delete(id);
    this.template.release(gone);
  }
}

function rows(text: string, format: TextFormat = 'text'): Row[] {
  const result = new Follower(format).read(encoder.encode(text));
  if (result instanceof ParseError) throw result;
  return result;
}

/** Decimals of every length, around the bounds of what one multiplication can do exactly as well. */
const decimal = fc.oneof(
  fc.double({ noNaN: true }).map((number) => String(number).replace('Infinity', 'Inf')),
  fc
    .tuple(
      fc.bigInt({ min: 2n ** 53n - 40n, max: 2n ** 53n + 40n }),
      fc.integer({ min: -25, max: 25 }),
    )
    .map(([mantissa, exponent]) => `${mantissa}e${exponent}`),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.nat(30))
    .map(([whole, fraction]) => `${whole}.${fraction}`),
);

const name = fc.constantFrom('a', 'b', 'ab', 'a_total', 'x:y');
const labelPart = fc.constantFrom(
  '',
  '{}',
  '{l="1"}',
  '{l="2",m="x"}',
  '{m="x",l="2"}',
  '{l="\\"\\n"}',
  '{l="é"}',
  '{l="1",}',
  '{ l = "1" }',
  '{"q.r"="1"}',
);
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '-0',
    '1.5',
    'NaN',
    '+Inf',
    '-Inf',
    '1e400',
    '0.1',
    '17',
    '1e22',
    '1e23',
    '9007199254740993',
  ),
  fc.double().map(String),
);
const tail = fc.constantFrom('', '', '', ' 1700000000000', ' 12', '  5', ' ');
const sample = fc
  .tuple(name, labelPart, value, tail)
  .map(([n, l, v, t]) => `${n}${l} ${v.replace('Infinity', 'Inf')}${t}`);
const meta = fc.constantFrom(
  '# HELP a some help',
  '# TYPE a counter',
  '# TYPE b gauge',
  '# TYPE a histogram',
  '# a comment',
  '#',
  '',
);
const bad = fc.constantFrom(
  'a{',
  'a',
  '1a 2',
  'a{l="1"} x',
  'a{l="1",l="2"} 1',
  '# TYPE a nonsense',
);
const lines = fc.array(
  fc.oneof({ weight: 12, arbitrary: sample }, { weight: 3, arbitrary: meta }),
  {
    maxLength: 14,
  },
);

/** Small edits, the way expositions change from scrape to scrape, and now and then damage. */
const edit = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(20), line: fc.oneof(sample, meta) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('swap' as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('break' as const), at: fc.nat(20), line: bad }),
  fc.record({ kind: fc.constant('value' as const), at: fc.nat(20), value }),
);

function apply(
  current: readonly string[],
  change: typeof edit extends fc.Arbitrary<infer T> ? T : never,
): string[] {
  const next = [...current];
  const at = Math.min(change.at, next.length);
  if (change.kind === 'insert' || change.kind === 'break') next.splice(at, 0, change.line);
  else if (change.kind === 'remove') next.splice(at, 1);
  else if (change.kind === 'swap') next.splice(at, 2, ...next.slice(at, at + 2).reverse());
  else if (next[at] !== undefined) next[at] = next[at].replace(/ \S+/, ` ${change.value}`);
  return next;
}

describe('a scrape template', () => {
  it('says the same as the line parser, whatever happens from scrape to scrape', () => {
    fc.assert(
      fc.property(
        lines,
        fc.array(fc.array(edit, { maxLength: 4 }), { maxLength: 6 }),
        fc.boolean(),
        fc.boolean(),
        (start, rounds, endsInNewline, forgets) => {
          const follower = new Follower('text');
          let current: string[] = start;
          for (const round of [[], ...rounds]) {
            for (const change of round) current = apply(current, change);
            const bytes = encoder.encode(current.join('\n') + (endsInNewline ? '\n' : ''));
            const expected = slow(bytes, 'text');
            const actual = follower.read(bytes);
            if (expected instanceof ParseError) {
              expect(actual).toBeInstanceOf(ParseError);
              expect((actual as ParseError).line).toBe(expected.line);
            } else {
              expect(actual).toEqual(expected);
              if (forgets) follower.forget();
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('survives any bytes with a value or a ParseError, never anything else', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            lines.map((l) => encoder.encode(l.join('\n'))),
          ),
          { maxLength: 4 },
        ),
        fc.constantFrom('text' as const, 'openmetrics' as const),
        (bodies, format) => {
          const follower = new Follower(format);
          for (const body of bodies) {
            const expected = slow(body, format);
            const actual = follower.read(body);
            if (expected instanceof ParseError) expect(actual).toBeInstanceOf(ParseError);
            else expect(actual).toEqual(expected);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads every double exactly as it was written', () => {
    fc.assert(
      fc.property(decimal, (text) => {
        const number = Number(text.replace('Inf', 'Infinity'));
        expect(Object.is(rows(`a ${text}\n`)[0]?.value, number)).toBe(true);
        const follower = new Follower('text');
        follower.read(encoder.encode('a 1\n'));
        const again = follower.read(encoder.encode(`a ${text}\n`)) as Row[];
        expect(Object.is(again[0]?.value, number)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('knows the type of recognised lines when a new series comes behind them', () => {
    const template = new ScrapeTemplate('text');
    const bucket = (le: string): string => `a_bucket{le="${le}"} 1\n`;
    template.parse(encoder.encode(`# TYPE a histogram\n${bucket('1')}# TYPE b gauge\nb 1\n`));
    template.parse(
      encoder.encode(
        `# TYPE a histogram\n${bucket('1')}${bucket('2')}# TYPE b gauge\nb 1\nb{le="3"} 1\n`,
      ),
    );
    expect(template.newSeries.map(({ labels }) => labels.get('le'))).toEqual(['2.0', '3']);
    expect([...template.metadata()].map(([name, { type }]) => [name, type])).toEqual([
      ['a', 'histogram'],
      ['b', 'gauge'],
    ]);
  });

  it('recognises all lines of an unchanged structure and meets no series anew', () => {
    const { template, ...rest } = new Follower('text');
    expect(rest).toBeDefined();
    template.parse(encoder.encode('# TYPE a counter\na{l="1"} 1\na{l="2"} 2 1700\n'));
    template.parse(encoder.encode('# TYPE a counter\na{l="1"} 10\na{l="2"} 20 1800\n'));
    expect(template.recognisedLines).toBe(3);
    expect(template.newSeries).toEqual([]);
    expect([...template.columns.values.subarray(0, 2)]).toEqual([10, 20]);
    expect(template.columns.timestamps[1]).toBe(1800);
  });

  it('goes on with the template behind an inserted, a removed and a moved line', () => {
    const template = new ScrapeTemplate('text');
    template.parse(encoder.encode('a 1\nb 1\nc 1\nd 1\ne 1\n'));
    template.parse(encoder.encode('a 1\nnew 1\nb 1\nd 1\ne 1\nc 1\n'));
    // Only the new line, the one after the gap, and the moved one are parsed.
    expect(template.recognisedLines).toBe(3);
  });

  it('stores an exposed NaN with the ordinary bits, which are no stale marker', () => {
    const template = new ScrapeTemplate('text');
    for (let round = 0; round < 2; round++) {
      template.parse(encoder.encode('a NaN\n'));
      const { valueWords } = template.columns;
      expect([valueWords[0], valueWords[1]]).toEqual([NORMAL_NAN_LOW, NORMAL_NAN_HIGH]);
      expect(isStaleAt(valueWords, 0)).toBe(false);
    }
  });

  it('changes nothing when an exposition does not parse', () => {
    const template = new ScrapeTemplate('text');
    template.parse(encoder.encode('a 1\n'));
    expect(() => template.parse(encoder.encode('a 2\nnew 1\nbroken{\n'))).toThrow(ParseError);
    expect(template.newSeries).toEqual([]);
    template.parse(encoder.encode('a 3\nnew 1\n'));
    expect(template.newSeries.map(({ labels }) => labels.metricName)).toEqual(['new']);
    expect(template.recognisedLines).toBe(1);
  });

  it('keeps type, help and unit per family, and drops them when the target is silent about them for long', () => {
    const template = new ScrapeTemplate('openmetrics');
    template.parse(
      encoder.encode(
        '# HELP a_seconds how\\nlong\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n',
      ),
    );
    expect([...template.metadata()]).toEqual([
      ['a_seconds', { type: 'gauge', help: 'how\nlong', unit: 'seconds' }],
    ]);
    for (let i = 0; i < 20; i++) template.parse(encoder.encode('a_seconds 1\n# EOF\n'));
    expect([...template.metadata()]).toEqual([]);
  });
});

describe('parsing', () => {
  it.each([
    ['a{le="1"} 1', 'a{le="1"} 1\n', '{__name__="a", le="1"}'],
    [
      'a bucket bound',
      '# TYPE a histogram\na_bucket{le="1"} 1\n',
      '{__name__="a_bucket", le="1.0"}',
    ],
    [
      'a large bound',
      '# TYPE a histogram\na_bucket{le="5000000"} 1\n',
      '{__name__="a_bucket", le="5e+06"}',
    ],
    ['a quantile', '# TYPE a summary\na{quantile="0"} 1\n', '{__name__="a", quantile="0.0"}'],
    ['a quoted metric name', '{"my.metric", l="v"} 1\n', '{__name__="my.metric", l="v"}'],
    ['a quoted label name', 'a{"x.y"="v"} 1\n', '{__name__="a", "x.y"="v"}'],
    ['an empty label value', 'a{l=""} 1\n', '{__name__="a"}'],
    ['escapes', 'a{l="q\\"b\\\\n\\nx\\z"} 1\n', '{__name__="a", l="q\\"b\\\\n\\nx\\\\z"}'],
  ])('gives the labels of %s', (_, text, labels) => {
    expect(rows(text)[0]?.labels).toBe(labels);
  });

  it.each([
    ['a 1\nb{c="d" 1\n', 2],
    ['a 1\n\n\nb 0x1p-3\n', 4],
    ['a 1_000\n', 1],
    ['a{l="\xff', 1],
    ['# TYPE a counter\n# TYPE a wrong\n', 2],
    ['{l="v"} 1\n', 1],
    ['a 1 1.5\n', 1],
    ['a 1 # {x="y"} 1\n', 1],
  ])('refuses %j and names line %i', (text, line) => {
    expect(() => rows(text)).toThrow(expect.objectContaining({ line, code: 'EXPOSITION.PARSE' }));
  });

  it('refuses a label value that is no UTF-8', () => {
    const bytes = Uint8Array.from([...encoder.encode('a{l="'), 0xff, ...encoder.encode('"} 1\n')]);
    expect(() => new ScrapeTemplate('text').parse(bytes)).toThrow('invalid UTF-8');
  });

  it('reads OpenMetrics timestamps as seconds, and exemplars', () => {
    const template = new ScrapeTemplate('openmetrics');
    const text = 'a_total{l="v"} 1 12.5 # {trace="x"} 0.25 3.5\n# EOF\n';
    for (let round = 0; round < 2; round++) {
      template.parse(encoder.encode(text));
      expect(template.columns.timestamps[0]).toBe(12_500);
      expect(template.exemplars).toEqual([
        {
          id: 0,
          exemplar: { labels: Labels.from({ trace: 'x' }), value: 0.25, timestampMs: 3_500 },
        },
      ]);
    }
  });
});

describe('the text writer', () => {
  it('writes what the parser reads back', () => {
    const label = fc.constantFrom('l', 'm', 'x.y', 'é');
    fc.assert(
      fc.property(
        fc.dictionary(label, fc.string({ unit: 'grapheme' })),
        fc.constantFrom('a', 'my.metric'),
        fc.double(),
        fc.option(fc.integer({ min: 0, max: 2e12 })),
        (pairs, metric, number, time) => {
          const labels = Labels.from({ ...pairs, __name__: metric });
          const text = new TextWriter()
            .family(metric, { type: 'gauge', help: 'line\nbreak \\', unit: '' })
            .sample(labels, number, time)
            .toString();
          expect(rows(text)).toEqual([
            { labels: labels.toString(), value: number, timestampMs: time ?? Number.NaN },
          ]);
        },
      ),
    );
  });
});
