import { describe, expect, it } from 'vitest';
import { type HistogramOptions, ScrapeTemplate, type TextFormat } from './index.ts';

const CONVERT: HistogramOptions = { native: true, alwaysClassic: false, toCustomBuckets: true };
const NONE: HistogramOptions = { ...CONVERT, toCustomBuckets: false };

/** What a target with a parser has told, series by their labels as long as they have an id. */
class Reading {
  readonly template: ScrapeTemplate;
  readonly #names = new Map<number, string>();

  constructor(format: TextFormat, options: HistogramOptions, startTimes = false) {
    this.template = new ScrapeTemplate(format, { ...options, startTimes });
  }

  /** `series value [since start]`, histograms as cumulated bounds; then everything that was not there is released. */
  rows(text: string): string[] {
    const { template } = this;
    template.parse(new TextEncoder().encode(text));
    const { columns, histograms } = template;
    for (const { id, labels } of template.newSeries) this.#names.set(id, labels.toMetricString());
    const seen = new Set<number>();
    const since = (startMs: number): string => (startMs === 0 ? '' : ` since ${startMs}`);
    const rows = Array.from({ length: columns.count }, (_, i) => {
      const id = columns.seriesIds[i]!;
      seen.add(id);
      return `${this.#names.get(id)} ${columns.values[i]}${since(columns.startTimestamps?.[i] ?? 0)}`;
    });
    for (const { id, histogram, startTimestampMs } of histograms) {
      seen.add(id);
      const { count, sum, customValues, positiveBuckets } = histogram;
      const parts = [`count ${count}`, `sum ${sum}`, `le ${customValues!.join()}`];
      rows.push(
        `${this.#names.get(id)} ${[...parts, `n ${positiveBuckets.join()}`].join(' ')}${since(startTimestampMs)}`,
      );
    }
    const gone = [...this.#names.keys()].filter((id) => !seen.has(id));
    for (const id of gone) this.#names.delete(id);
    template.release(gone);
    return rows;
  }
}

function histogram(labels: string, counts: readonly [number, number, number]): string {
  const inner = labels === '' ? '' : `${labels},`;
  return `h_bucket{${inner}le="1"} ${counts[0]}
h_bucket{${inner}le="2.5"} ${counts[1]}
h_bucket{${inner}le="+Inf"} ${counts[2]}
h_sum{${labels}} 7
h_count{${labels}} ${counts[2]}
`;
}

describe('classic histograms in text', () => {
  const TYPE = '# TYPE h histogram\n';

  it('become native ones with custom buckets, scrape by scrape', () => {
    const reading = new Reading('text', CONVERT);
    const first = `${TYPE}${histogram('a="x"', [1, 3, 4])}${histogram('', [0, 0, 2])}g 1\n`;
    const rows = ['g 1', 'h{a="x"} count 4 sum 7 le 1,2.5 n 1,2,1', 'h count 2 sum 7 le 1,2.5 n 2'];
    expect(reading.rows(first)).toEqual(rows);
    expect(reading.rows(first)).toEqual(rows);
    expect([reading.template.newSeries, reading.template.recognisedLines]).toEqual([[], 12]);
    // One goes and comes back, and its bounds change.
    expect(reading.rows(`${TYPE}${histogram('', [0, 0, 2])}`)).toEqual([rows[2]]);
    const other = first.replaceAll('le="2.5"', 'le="9"');
    expect(reading.rows(other)).toEqual(rows.map((row) => row.replace('2.5', '9')));
    expect(reading.rows(first)).toEqual(rows);
  });

  it('stay beside them where asked, and alone where they contradict themselves or have no type', () => {
    const both = new Reading('text', { ...CONVERT, alwaysClassic: true });
    for (let scrape = 0; scrape < 2; scrape++) {
      expect(both.rows(`${TYPE}${histogram('', [1, 3, 4])}`)).toEqual([
        'h_bucket{le="1.0"} 1',
        'h_bucket{le="2.5"} 3',
        'h_bucket{le="+Inf"} 4',
        'h_sum 7',
        'h_count 4',
        'h count 4 sum 7 le 1,2.5 n 1,2,1',
      ]);
    }
    expect(both.rows(`${TYPE}${histogram('', [3, 1, 4])}`)).toHaveLength(5);
    const reading = new Reading('text', CONVERT);
    expect(reading.rows(histogram('', [1, 3, 4]))).toHaveLength(5);
    expect(reading.rows(`# TYPE g gauge\ng_count 1\ng_bucket{le="1"} 2\n`)).toHaveLength(2);
  });

  it('have exemplars only with a time', () => {
    const { template } = new Reading('openmetrics', CONVERT);
    template.parse(
      new TextEncoder().encode(
        `${TYPE}h_bucket{le="1"} 1 # {t="a"} 0.5\nh_bucket{le="+Inf"} 2 # {t="b"} 3 17\nh_count 2\nh_sum 3\n# EOF\n`,
      ),
    );
    expect(template.exemplars).toEqual([
      {
        id: template.newSeries[0]!.id,
        exemplar: expect.objectContaining({ value: 3, timestampMs: 17_000 }),
      },
    ]);
  });

  it('that do not parse leave everything as it was', () => {
    const reading = new Reading('text', CONVERT);
    const good = `${TYPE}${histogram('', [1, 3, 4])}`;
    const rows = reading.rows(good);
    expect(() => reading.rows(`${TYPE}${histogram('b="y"', [1, 3, 4])}h {`)).toThrow();
    expect(reading.template.newSeries).toEqual([]);
    expect(reading.rows(good)).toEqual(rows);
  });
});

describe('_created in OpenMetrics', () => {
  const BODY = `# TYPE c counter
c_total{a="x"} 1
c_created{a="x"} 1600000000.5
c_total{a="y"} 2
# TYPE s summary
s_count 3
s_sum 4
s{quantile="0.5"} 5
s_created 1600000001
# TYPE h histogram
h_bucket{le="+Inf"} 6
h_count 6
h_sum 7
h_created 1600000002
# TYPE g_created gauge
g_created 8
# EOF
`;

  it('tells since when the samples of its metric count, where that is asked for', () => {
    const reading = new Reading('openmetrics', NONE, true);
    const rows = [
      'c_total{a="x"} 1 since 1600000000500',
      'c_total{a="y"} 2',
      's_count 3 since 1600000001000',
      's_sum 4 since 1600000001000',
      's{quantile="0.5"} 5 since 1600000001000',
      'h_bucket{le="+Inf"} 6 since 1600000002000',
      'h_count 6 since 1600000002000',
      'h_sum 7 since 1600000002000',
      'g_created 8',
    ];
    expect(reading.rows(BODY)).toEqual(rows);
    expect(reading.rows(BODY)).toEqual(rows);
    expect(reading.template.newSeries).toEqual([]);
    const converting = new Reading('openmetrics', CONVERT, true);
    expect(converting.rows(BODY).at(-1)).toBe('h count 6 sum 7 le  n 6 since 1600000002000');
  });

  it('is a series like others otherwise', () => {
    expect(new Reading('openmetrics', NONE).rows(BODY)).toHaveLength(12);
    expect(new Reading('text', NONE, true).rows('# TYPE c counter\nc 1\nc_created 2\n')).toEqual([
      'c 1',
      'c_created 2',
    ]);
  });
});
