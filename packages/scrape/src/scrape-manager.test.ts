import { LimitError, OperatingError } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { START_MS } from './testing/fake-database.ts';
import { ONE_JOB, T, URL_1, World, type WorldOptions } from './testing/scrape-world.ts';

let world: World;
afterEach(async () => {
  await world.manager.close();
});

function begin(yaml: string, options?: WorldOptions): World {
  world = World.begin(yaml, options);
  return world;
}

describe('a scrape', () => {
  it('stores samples under the target labels together with the series of the scrape, in one append and commit', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm{l="v"} 1\nn 2 1600000000000\n');
    const first = world.firstMs;
    await world.clock.advance(first);
    expect(
      world.database.of(`m{${T}, l="v"}`.replace(`${T}, l="v"`, `instance="t:1", job="j", l="v"`)),
    ).toEqual([[first, 1]]);
    expect(world.database.of(`n{${T}}`)).toEqual([[1_600_000_000_000 - START_MS, 2]]);
    expect(world.database.of(`up{${T}}`)).toEqual([[first, 1]]);
    expect(world.database.of(`scrape_samples_scraped{${T}}`)).toEqual([[first, 2]]);
    expect(world.database.of(`scrape_samples_post_metric_relabeling{${T}}`)).toEqual([[first, 2]]);
    expect(world.database.of(`scrape_series_added{${T}}`)).toEqual([[first, 2]]);
    expect(world.database.of(`scrape_duration_seconds{${T}}`)).toEqual([[first, 0]]);
    expect(world.database.names().length).toBe(7);
    expect([world.database.appendCalls, world.database.commits]).toEqual([1, 1]);
  });

  it('asks with the headers of Prometheus', async () => {
    begin(ONE_JOB);
    await world.clock.advance(10_000);
    expect(world.requests[0]).toMatchObject({
      method: 'GET',
      url: URL_1,
      timeoutMs: 10_000,
      headers: {
        'accept-encoding': 'gzip',
        'user-agent': 'Prometheus/3.4.0',
        'x-prometheus-scrape-timeout-seconds': '10',
        accept: expect.stringMatching(
          /^application\/openmetrics-text;version=1\.0\.0;escaping=allow-utf-8;q=0\.6,/,
        ),
      },
    });
  });

  it('keeps to its grid of instants, and replicas with other seeds to others', async () => {
    const phases = new Set<number>();
    for (const seed of [1n, 2n, 3n, 0xdeadbeefn]) {
      begin(ONE_JOB, { seed });
      world.answer(URL_1, 'm 1\n');
      const first = world.firstMs;
      phases.add(first);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(first).toBeLessThan(10_000);
      await world.clock.advance(first + 20_000);
      expect(world.database.of(`m{${T}}`)).toEqual([
        [first, 1],
        [first + 10_000, 1],
        [first + 20_000, 1],
      ]);
      await world.manager.close();
    }
    expect(phases.size).toBeGreaterThan(1);
  });

  it('marks a vanished series stale at once, once, and takes it up again later', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\nn 1\n', 'n 2\n', 'n 3\n', 'm 4\nn 4\n');
    const first = world.firstMs;
    await world.clock.advance(first + 30_000);
    expect(world.database.of(`m{${T}}`)).toEqual([
      [first, 1],
      [first + 10_000, 'stale'],
      [first + 30_000, 4],
    ]);
    expect(world.database.of(`n{${T}}`).map(([, value]) => value)).toEqual([1, 2, 3, 4]);
  });

  it('lets stale markers, and only them, be refused where they would come out of order', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\nn 1\n', 'n 2\n');
    await world.clock.advance(world.firstMs + 10_000);
    world.load('[]');
    await world.clock.advance(40_000);
    const { samples } = world.database;
    expect(samples.filter(({ isStale }) => isStale).length).toBeGreaterThan(2);
    for (const { isStale, isNeverLate } of samples) expect(isNeverLate).toBe(isStale);
  });

  it('does not mark series with timestamps of their own, unless asked to track them', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1 1600000000000\n', '');
    await world.clock.advance(20_000);
    expect(world.database.of(`m{${T}}`).length).toBe(1);
    await world.manager.close();

    begin(`${ONE_JOB}  track_timestamps_staleness: true\n`);
    world.answer(URL_1, 'm 1 1600000000000\n', '');
    await world.clock.advance(20_000);
    expect(world.database.of(`m{${T}}`).map(([, value]) => value)).toEqual([1, 'stale']);
    await world.manager.close();

    begin(`${ONE_JOB}  honor_timestamps: false\n`);
    world.answer(URL_1, 'm 1 1600000000000\n');
    const first = world.firstMs;
    await world.clock.advance(first);
    expect(world.database.of(`m{${T}}`)).toEqual([[first, 1]]);
  });

  it.each([
    [
      'a refused connection',
      new OperatingError('TEST.REFUSED', 'connection refused'),
      'connection refused',
    ],
    ['a server error', { status: 503 }, 'server returned HTTP status 503'],
    ['a malformed exposition', 'm 1\nm{ 2\n', 'line 2'],
    [
      'a foreign content type',
      { text: 'm 2\n', headers: { 'content-type': 'text/html' } },
      'unsupported Content-Type "text/html"',
    ],
    ['a system error', new Error('ENOENT'), 'ENOENT'],
  ])(
    'that fails by %s gives up 0, marks all series stale, and the next one is good again',
    async (_, fault, text) => {
      begin(ONE_JOB);
      world.answer(URL_1, 'm 1\n', fault as string, 'm 3\n');
      const first = world.firstMs;
      await world.clock.advance(first + 10_000);
      expect(world.manager.targets().activeTargets[0]).toMatchObject({
        health: 'down',
        lastError: expect.stringContaining(text),
      });
      await world.clock.advance(10_000);
      expect(world.database.of(`m{${T}}`)).toEqual([
        [first, 1],
        [first + 10_000, 'stale'],
        [first + 20_000, 3],
      ]);
      expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([1, 0, 1]);
      expect(world.manager.targets().activeTargets[0]).toMatchObject({
        health: 'up',
        lastError: '',
      });
    },
  );

  it('that hangs ends at its time-out and never delays another target', async () => {
    begin(`
- job_name: j
  scrape_interval: 10s
  scrape_timeout: 3s
  static_configs: [{targets: ["slow:1", "t:1"]}]
`);
    world.answer('http://slow:1/metrics', { text: 'late 1\n', afterMs: 1e9 });
    world.answer(URL_1, 'm 1\n');
    await world.clock.advance(60_000);
    const times = world.database.of(`m{${T}}`).map(([at]) => at);
    expect(times.length).toBe(6);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBe(10_000);
    const slow = world.database.of('scrape_duration_seconds{instance="slow:1", job="j"}');
    expect(slow.length).toBeGreaterThanOrEqual(5);
    for (const [, value] of slow) expect(value).toBe(3);
    expect(
      world.database.of('up{instance="slow:1", job="j"}').every(([, value]) => value === 0),
    ).toBe(true);
  });

  it('that starts late carries its true time, and coverage still the scheduled one', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n');
    const first = world.firstMs;
    const now = world.clock.now.bind(world.clock);
    world.clock.now = () => now() + 500;
    await world.clock.advance(first);
    world.clock.now = now;
    expect(world.database.of(`m{${T}}`)).toEqual([[first + 500, 1]]);
    expect(world.events.find((event) => event.startsWith('done'))).toContain(` ${first} `);
  });

  it('resolves its series again when the engine has forgotten them', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n', 'm 2\n');
    const first = world.firstMs;
    await world.clock.advance(first);
    world.database.forgetRefs();
    await world.clock.advance(10_000);
    expect(world.database.of(`m{${T}}`)).toEqual([
      [first, 1],
      [first + 10_000, 2],
    ]);
    expect(world.database.of(`up{${T}}`).length).toBe(2);
  });

  it('counts duplicates and samples out of order and goes on', async () => {
    begin(ONE_JOB);
    world.answer(
      URL_1,
      'm{l="v"} 1\nm{l="v",} 2\nn 1 1600000000000\n',
      'n 1 1500000000000\nok 1\n',
    );
    await world.clock.advance(20_000);
    expect(world.metric('prometheus_target_scrapes_sample_duplicate_timestamp_total 1')).toBe(true);
    expect(world.metric('prometheus_target_scrapes_sample_out_of_order_total 1')).toBe(true);
    expect(world.database.of(`ok{${T}}`).length).toBe(1);
    expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([1, 1]);
  });

  it('does not mark a series stale that came back under another spelling', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm{a="1",b="2"} 1\n', 'm{b="2",a="1"} 2\n', {
      text: 'm{a="1",b="2"} 3\n# EOF\n',
      headers: { 'content-type': 'application/openmetrics-text' },
    });
    await world.clock.advance(30_000);
    expect(
      world.database.of('m{a="1", b="2", instance="t:1", job="j"}').map(([, value]) => value),
    ).toEqual([1, 2, 3]);
    expect(world.metric('prometheus_target_scrapes_sample_duplicate_timestamp_total 0')).toBe(true);
  });

  it('marks what a change of format took away', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\nn 1\n', {
      text: 'm 2\n# EOF\n',
      headers: { 'content-type': 'application/openmetrics-text' },
    });
    await world.clock.advance(20_000);
    expect(world.database.of(`n{${T}}`).map(([, value]) => value)).toEqual([1, 'stale']);
    expect(world.database.of(`m{${T}}`).map(([, value]) => value)).toEqual([1, 2]);
  });

  it('hands exemplars on', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, {
      text: 'm_total 1 # {id="x"} 0.5\n# EOF\n',
      headers: { 'content-type': 'application/openmetrics-text' },
    });
    await world.clock.advance(10_000);
    expect(world.database.exemplars).toEqual([expect.objectContaining({ value: 0.5 })]);
  });
});

describe('labels of scraped series', () => {
  it('yield to the target and are kept as exported_, again and again until free', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm{job="own",exported_job="own2"} 1\n');
    await world.clock.advance(10_000);
    expect(world.database.names()).toContain(
      'm{exported_exported_job="own", exported_job="own2", instance="t:1", job="j"}',
    );
  });

  it('go before the target with honor_labels', async () => {
    begin(`${ONE_JOB}  honor_labels: true\n`);
    world.answer(URL_1, 'm{job="own"} 1\n');
    await world.clock.advance(10_000);
    expect(world.database.names()).toContain('m{instance="t:1", job="own"}');
  });

  it('pass metric_relabel_configs, which may drop the series but not those of the scrape', async () => {
    begin(`${ONE_JOB}
  metric_relabel_configs:
    - {source_labels: [__name__], regex: "drop.*|up", action: drop}
    - {regex: secret, action: labeldrop}
`);
    world.answer(URL_1, 'drop_me 1\nkeep{secret="x"} 2\n');
    await world.clock.advance(20_000);
    expect(world.database.names().filter((name) => !name.startsWith('scrape_'))).toEqual([
      `keep{${T}}`,
      `up{${T}}`,
    ]);
    expect(world.database.of(`scrape_samples_scraped{${T}}`)[0]![1]).toBe(2);
    expect(world.database.of(`scrape_samples_post_metric_relabeling{${T}}`)[0]![1]).toBe(1);
    expect(world.database.of(`scrape_series_added{${T}}`).map(([, value]) => value)).toEqual([
      1, 0,
    ]);
  });
});

describe('limits', () => {
  it('sample_limit counts after relabelling, and a breach fails the whole scrape', async () => {
    begin(`${ONE_JOB}
  sample_limit: 2
  metric_relabel_configs: [{source_labels: [__name__], regex: x, action: drop}]
`);
    world.answer(URL_1, 'a 1\nb 1\nx 1\n', 'a 2\nb 2\nc 2\n', 'a 3\nb 3\n');
    await world.clock.advance(30_000);
    expect(world.database.of(`a{${T}}`).map(([, value]) => value)).toEqual([1, 'stale', 3]);
    expect(world.database.of(`c{${T}}`)).toEqual([]);
    expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([1, 0, 1]);
    expect(world.metric('prometheus_target_scrapes_exceeded_sample_limit_total 1')).toBe(true);
  });

  it.each([
    ['label_limit: 3', 'm{a="1",b="2"} 1\n', 'label_limit exceeded'],
    ['label_name_length_limit: 8', 'm{toolongname="1"} 1\n', 'label_name_length_limit exceeded'],
    ['label_value_length_limit: 4', 'm{a="12345"} 1\n', 'label_value_length_limit exceeded'],
  ])('%s', async (limit, text, message) => {
    begin(`${ONE_JOB}  ${limit}\n`);
    world.answer(URL_1, text);
    await world.clock.advance(20_000);
    expect(world.manager.targets().activeTargets[0]!.lastError).toContain(message);
    expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([0, 0]);
    expect(world.metric('prometheus_target_scrape_pool_exceeded_label_limits_total 2')).toBe(true);
  });

  it('body_size_limit is given to the network and its breach is counted', async () => {
    begin(`${ONE_JOB}  body_size_limit: 1KB\n  extra_scrape_metrics: true\n`);
    world.answer(URL_1, new LimitError('BASE.ANSWER_TOO_LARGE', 'maxBodyBytes', 'body exceeds'));
    await world.clock.advance(10_000);
    expect(world.requests[0]!.maxBodyBytes).toBe(1024);
    expect(world.database.of(`scrape_body_size_bytes{${T}}`)[0]![1]).toBe(-1);
    expect(world.metric('prometheus_target_scrapes_exceeded_body_size_limit_total 1')).toBe(true);
  });

  it('target_limit fails every target of the job', async () => {
    begin(`
- job_name: j
  scrape_interval: 10s
  target_limit: 1
  static_configs: [{targets: ["t:1", "t:2"]}]
`);
    world.answer(URL_1, 'm 1\n');
    await world.clock.advance(10_000);
    expect(world.requests).toEqual([]);
    expect(world.manager.targets().activeTargets.map(({ lastError }) => lastError)).toEqual([
      expect.stringContaining('target_limit exceeded (number of targets: 2, limit: 1)'),
      expect.stringContaining('target_limit exceeded'),
    ]);
  });

  it('of the engine on series lets the known series and those of the scrape go on', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'a 1\n', 'a 2\nb 2\n', 'a 3\nb 3\n');
    await world.clock.advance(world.firstMs);
    world.database.seriesLimit = 6;
    await world.clock.advance(10_000);
    expect(world.database.of(`a{${T}}`).map(([, value]) => value)).toEqual([1, 2]);
    expect(world.database.of(`b{${T}}`)).toEqual([]);
    expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([1, 1]);
    expect(world.metric('pollux_target_scrapes_sample_series_limit_total 1')).toBe(true);
    world.database.seriesLimit = 7;
    await world.clock.advance(10_000);
    expect(world.database.of(`b{${T}}`).map(([, value]) => value)).toEqual([3]);
  });

  it('of the engine on series never crowd out what tells of the target', async () => {
    begin(ONE_JOB);
    world.database.seriesLimit = 6;
    world.answer(URL_1, 'a 1\nb 1\nc 1\n');
    await world.clock.advance(world.firstMs);
    expect(world.database.of(`up{${T}}`).map(([, value]) => value)).toEqual([1]);
    expect(world.database.of(`scrape_samples_scraped{${T}}`).map(([, value]) => value)).toEqual([
      3,
    ]);
    expect(world.database.of(`a{${T}}`).length).toBe(1);
    expect(world.database.of(`c{${T}}`)).toEqual([]);
  });
});

describe('a reload', () => {
  it('leaves unchanged jobs alone and starts changed ones anew', async () => {
    const two = (interval: string): string => `
- {job_name: same, scrape_interval: 10s, static_configs: [{targets: ["t:1"]}]}
- {job_name: other, scrape_interval: ${interval}, static_configs: [{targets: ["t:1"]}]}
`;
    begin(two('10s'));
    world.answer(URL_1, 'm 1\n');
    await world.clock.advance(10_000);
    world.load(two('5s'));
    await world.clock.advance(10_000);
    const opened = world.events.filter((event) => event.startsWith('open'));
    expect(opened.filter((event) => event.includes('/same/')).length).toBe(1);
    expect(opened.filter((event) => event.includes('/other/')).length).toBe(2);
    const same = world.database.of('m{instance="t:1", job="same"}');
    expect(same[1]![0] - same[0]![0]).toBe(10_000);
    expect(world.manager.scrapePools()).toEqual(['other', 'same']);
  });
});

describe('targets', () => {
  it('are labelled by relabelling, with reserved labels as settings, and dropped ones kept', async () => {
    begin(`
- job_name: j
  scrape_interval: 10s
  params: {module: [a, b]}
  static_configs:
    - targets: ["t:1", "gone:1"]
      labels: {__metrics_path__: /probe, __param_extra: "x y", env: prod, __meta_x: y}
  relabel_configs:
    - {source_labels: [__address__], regex: gone.*, action: drop}
    - {source_labels: [__meta_x], target_label: kept}
    - {target_label: __scrape_interval__, replacement: 20s}
`);
    await world.clock.advance(0);
    const { activeTargets, droppedTargets, droppedTargetCounts } = world.manager.targets();
    expect(activeTargets).toEqual([
      {
        discoveredLabels: {
          __address__: 't:1',
          __always_scrape_classic_histograms__: 'false',
          __convert_classic_histograms_to_nhcb__: 'false',
          __meta_x: 'y',
          __metrics_path__: '/probe',
          __param_extra: 'x y',
          __param_module: 'a',
          __scheme__: 'http',
          __scrape_interval__: '10s',
          __scrape_native_histograms__: 'false',
          __scrape_timeout__: '10s',
          env: 'prod',
          job: 'j',
        },
        labels: { env: 'prod', instance: 't:1', job: 'j', kept: 'y' },
        scrapePool: 'j',
        scrapeUrl: 'http://t:1/probe?extra=x+y&module=a&module=b',
        globalUrl: 'http://t:1/probe?extra=x+y&module=a&module=b',
        lastError: '',
        lastScrape: '0001-01-01T00:00:00Z',
        lastScrapeDuration: 0,
        health: 'unknown',
        scrapeInterval: '20s',
        scrapeTimeout: '10s',
      },
    ]);
    expect(droppedTargets).toEqual([
      { discoveredLabels: expect.objectContaining({ __address__: 'gone:1' }), scrapePool: 'j' },
    ]);
    expect(droppedTargetCounts).toEqual({ j: 1 });
  });

  it('tell their metadata', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, '# HELP m some text\n# TYPE m gauge\nm 1\n');
    await world.clock.advance(10_000);
    expect([...world.manager.metadata()]).toEqual([
      {
        scrapePool: 'j',
        target: expect.anything(),
        metric: 'm',
        metadata: { type: 'gauge', help: 'some text', unit: '' },
      },
    ]);
    expect(world.metric('prometheus_target_metadata_cache_entries{scrape_job="j"} 1')).toBe(true);
  });

  it('follow redirects, without credentials to another host', async () => {
    begin(`${ONE_JOB}  basic_auth: {username: u, password: p}\n`);
    world.answer(URL_1, { status: 302, headers: { location: 'http://other:1/m' } });
    world.answer('http://other:1/m', 'm 1\n');
    await world.clock.advance(10_000);
    expect(world.database.of(`m{${T}}`).length).toBe(1);
    expect(world.requests[0]!.headers!.authorization).toMatch(/^Basic /);
    expect(world.requests[1]!.headers!.authorization).toBeUndefined();
  });

  it('go through a proxy, with one OAuth2 token for all targets of a job', async () => {
    begin(`
- job_name: j
  scrape_interval: 10s
  proxy_url: http://proxy:3128
  no_proxy: t2
  oauth2: {client_id: id, client_secret: s, token_url: "http://auth/token"}
  static_configs: [{targets: ["t1:1", "t2:1"]}]
`);
    world.answer('http://auth/token', '{"access_token": "tok", "expires_in": 3600}');
    for (const target of ['t1', 't2']) world.answer(`http://${target}:1/metrics`, 'm 1\n');
    await world.clock.advance(30_000);
    const toTargets = world.requests.filter(({ url }) => url.endsWith('/metrics'));
    expect(toTargets.length).toBeGreaterThanOrEqual(4);
    for (const { url, headers, proxy } of toTargets) {
      expect(headers!.authorization).toBe('Bearer tok');
      expect(proxy?.url).toBe(url.includes('t1') ? 'http://proxy:3128' : undefined);
    }
    expect(world.requests.filter(({ url }) => url === 'http://auth/token')).toHaveLength(1);
  });
});
