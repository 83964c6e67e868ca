import { ProgrammerError } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { Log, type LogFormat, type MetricFamily, Registry, renderText } from './index.ts';

function shown(registry: Registry): string[] {
  return renderText(registry.gather()).split('\n');
}

describe('a registry', () => {
  it('gives the same metric for the same name and refuses another shape', () => {
    const registry = new Registry();
    registry.counter('a_total', 'help').inc();
    registry.counter('a_total', 'help').inc(2);
    expect(shown(registry)).toContain('a_total 3');
    expect(() => registry.gauge('a_total', 'help')).toThrow(ProgrammerError);
    expect(() => registry.counters('a_total', 'help', ['x'])).toThrow('different shapes');
    expect(() => registry.counters('b_total', '', ['x']).with('1', '2')).toThrow(
      'takes 1 label values',
    );
  });

  it('tells apart children whose values only join to the same text', () => {
    const family = new Registry().counters('a_total', '', ['x', 'y']);
    family.with('a', 'b,c').inc();
    family.with('a,b', 'c').inc(5);
    expect(family.with('a', 'b,c').value).toBe(1);
    family.remove('a', 'b,c');
    expect(family.with('a', 'b,c').value).toBe(0);
  });

  it('bounds the children that it shows', () => {
    const registry = new Registry();
    const family = registry.counters('a_total', '', ['x']);
    for (let i = 0; i < 10_050; i++) family.with(String(i)).inc();
    expect(registry.gather()[0]!.samples).toHaveLength(10_000);
  });

  it('shows families in order, and one for several collectors of a name', () => {
    const registry = new Registry();
    const family = (value: number): MetricFamily => ({
      name: 'b',
      help: 'h',
      type: 'gauge',
      samples: [{ suffix: '', labels: ['x', String(value)], value }],
    });
    registry.collect(() => [family(1)]);
    registry.collect(() => [family(2)]);
    registry.gaugeFrom('a', '', () => 7);
    expect(shown(registry)).toEqual([
      '# TYPE a gauge',
      'a 7',
      '# HELP b h',
      '# TYPE b gauge',
      'b{x="1"} 1',
      'b{x="2"} 2',
      '',
    ]);
  });

  it('never lets a counter fall or become NaN', () => {
    const counter = new Registry().counter('a_total', '');
    for (const by of [2, -1, Number.NaN, 0]) counter.inc(by);
    expect(counter.value).toBe(2);
  });
});

describe('a histogram', () => {
  it('is cumulative, counts a value on the bound below it, and NaN under +Inf only', () => {
    const registry = new Registry();
    const histogram = registry.histogram('h_seconds', '', [0.1, 1]);
    for (const value of [0.1, 0.5, 1, 2, Number.NaN]) histogram.observe(value);
    expect(shown(registry)).toEqual([
      '# TYPE h_seconds histogram',
      'h_seconds_bucket{le="0.1"} 1',
      'h_seconds_bucket{le="1"} 3',
      'h_seconds_bucket{le="+Inf"} 5',
      'h_seconds_sum NaN',
      'h_seconds_count 5',
      '',
    ]);
  });

  it.each([[[1, 1]], [[2, 1]], [[1, Number.POSITIVE_INFINITY]], [[Number.NaN]]])(
    'refuses bounds %j',
    (bounds) => {
      expect(() => new Registry().histogram('h', '', bounds)).toThrow(ProgrammerError);
    },
  );
});

describe('the text format', () => {
  it('escapes help and values, and writes numbers as Prometheus reads them', () => {
    const registry = new Registry();
    const gauges = registry.gauges('g', 'a\\b\n"c"', ['x']);
    gauges.with('q"\\\n').set(Number.POSITIVE_INFINITY);
    gauges.with('n').set(Number.NaN);
    gauges.with('m').set(Number.NEGATIVE_INFINITY);
    gauges.with('e').set(1e-7);
    registry.gauges('empty', 'no samples, no lines', ['x']);
    expect(shown(registry)).toEqual([
      '# HELP g a\\\\b\\n"c"',
      '# TYPE g gauge',
      'g{x="q\\"\\\\\\n"} +Inf',
      'g{x="n"} NaN',
      'g{x="m"} -Inf',
      'g{x="e"} 1e-7',
      '',
    ]);
  });
});

describe('the log', () => {
  function log(format: LogFormat, lines: string[]): Log {
    return new Log(
      { level: 'info', format, now: () => 1_700_000_000_000, write: (line) => lines.push(line) },
      { component: 'a b' },
    );
  }

  it('writes one line an entry, whatever is in it', () => {
    const lines: string[] = [];
    log('logfmt', lines)
      .with({ n: 1 })
      .warn('two\nlines "x"', { empty: '', none: undefined, nothing: null, eq: 'a=b' });
    expect(lines).toEqual([
      'time=2023-11-14T22:13:20.000Z level=WARN msg="two\\nlines \\"x\\"" component="a b" n=1 empty="" nothing=null eq="a=b"',
    ]);
  });

  it('writes JSON, and only what the level wants', () => {
    const lines: string[] = [];
    const json = log('json', lines);
    json.debug('no');
    json.error('yes', { n: 2 });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { time: '2023-11-14T22:13:20.000Z', level: 'ERROR', msg: 'yes', component: 'a b', n: 2 },
    ]);
    expect([json.isEnabled('debug'), json.isEnabled('info')]).toEqual([false, true]);
  });
});
