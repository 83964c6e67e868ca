import { InputError } from '@pollux/base';
import { QueryError } from '@pollux/promql';
import { UnavailableError } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { bad, ok } from './testing/bodies.ts';
import type { ListedSeries } from './testing/list-queryable.ts';
import { NOW_MS, World } from './testing/world.ts';
import { apiErrorOf } from './wire/errors.ts';

const S = NOW_MS / 1000;

const SERIES: readonly ListedSeries[] = [
  { labels: { __name__: 'up', job: 'a', path: '<&>' }, samples: [[NOW_MS - 1_500, 1]] },
  { labels: { __name__: 'up', job: 'b' }, samples: [[NOW_MS - 1_500, 0]] },
  { labels: { __name__: 'x.y', 'dotted.name': 'v' }, samples: [[NOW_MS - 1_500, 1e-7]] },
  { labels: { __name__: 'old' }, samples: [[NOW_MS - 600_000, 5]] },
];

const TRUNCATED = ',"warnings":["results truncated due to limit"]';
const UP_A = '{"__name__":"up","job":"a","path":"<&>"}';
const UP_B = '{"__name__":"up","job":"b"}';

type Case = readonly [target: string, status: number, body: string];

/** Every row is sent to a server that holds SERIES. */
const CASES: readonly Case[] = [
  // Queries.
  [
    '/api/v1/query?query=up',
    200,
    ok(
      `{"resultType":"vector","result":[{"metric":${UP_A},"value":[${S},"1"]},{"metric":${UP_B},"value":[${S},"0"]}]}`,
    ),
  ],
  [
    `/api/v1/query?query=up&limit=1&time=${S}.5`,
    200,
    ok(`{"resultType":"vector","result":[{"metric":${UP_A},"value":[${S}.500,"1"]}]}`, TRUNCATED),
  ],
  [
    '/api/v1/query?query=1%2B1&time=2023-11-14T22:13:20.050Z',
    200,
    ok(`{"resultType":"scalar","result":[${S}.05,"2"]}`),
  ],
  [
    '/api/v1/query?query=1&time=2023-11-15T00:13:20%2B02:00',
    200,
    ok(`{"resultType":"scalar","result":[${S},"1"]}`),
  ],
  ['/api/v1/query?query=%22a%22', 200, ok(`{"resultType":"string","result":[${S},"a"]}`)],
  [
    '/api/v1/query?query=old&lookback_delta=11m',
    200,
    ok(`{"resultType":"vector","result":[{"metric":{"__name__":"old"},"value":[${S},"5"]}]}`),
  ],
  [
    `/api/v1/query_range?query=up{job="b"}&start=${S}&end=${S + 20}&step=10`,
    200,
    ok(
      `{"resultType":"matrix","result":[{"metric":${UP_B},"values":[[${S},"0"],[${S + 10},"0"],[${S + 20},"0"]]}]}`,
    ),
  ],
  [
    `/api/v1/query_range?query=time()&start=${S}&end=${S}.9&step=500ms`,
    200,
    ok(
      `{"resultType":"matrix","result":[{"metric":{},"values":[[${S},"${S}"],[${S}.500,"${S}.5"]]}]}`,
    ),
  ],
  [
    '/api/v1/query',
    400,
    bad('invalid parameter "query": unknown position: parse error: no expression found in input'),
  ],
  [
    '/api/v1/query?query=up%7B',
    400,
    bad('invalid parameter "query": 1:4: parse error: unexpected end of input inside braces'),
  ],
  [
    '/api/v1/query?query=up&time=soon',
    400,
    bad('invalid parameter "time": cannot parse "soon" to a valid timestamp'),
  ],
  [
    '/api/v1/query?query=up&time=2023-02-30T00:00:00Z',
    400,
    bad('invalid parameter "time": cannot parse "2023-02-30T00:00:00Z" to a valid timestamp'),
  ],
  [
    '/api/v1/query?query=up&timeout=x',
    400,
    bad('invalid parameter "timeout": cannot parse "x" to a valid duration'),
  ],
  [
    '/api/v1/query?query=up&lookback_delta=x',
    400,
    bad('error parsing lookback delta duration: cannot parse "x" to a valid duration'),
  ],
  [
    '/api/v1/query?query=up&limit=x',
    400,
    bad('invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax'),
  ],
  [
    '/api/v1/query?query=up&limit=-1',
    400,
    bad('invalid parameter "limit": limit must be non-negative'),
  ],
  [
    '/api/v1/query_range?query=up',
    400,
    bad('invalid parameter "start": cannot parse "" to a valid timestamp'),
  ],
  [
    '/api/v1/query_range?query=up&start=1',
    400,
    bad('invalid parameter "end": cannot parse "" to a valid timestamp'),
  ],
  [
    '/api/v1/query_range?query=up&start=2&end=1&step=1',
    400,
    bad('invalid parameter "end": end timestamp must not be before start time'),
  ],
  [
    '/api/v1/query_range?query=up&start=1&end=2',
    400,
    bad('invalid parameter "step": cannot parse "" to a valid duration'),
  ],
  [
    '/api/v1/query_range?query=up&start=1&end=2&step=0',
    400,
    bad(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ),
  ],
  [
    '/api/v1/query_range?query=up&start=1&end=2&step=-1',
    400,
    bad(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ),
  ],
  [
    '/api/v1/query_range?query=up&start=1&end=2&step=1e30',
    400,
    bad('invalid parameter "step": cannot parse "1e30" to a valid duration. It overflows int64'),
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=11001&step=1',
    400,
    bad(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ),
  ],
  [
    '/api/v1/query_range?query=none&start=0&end=11000&step=1',
    200,
    ok('{"resultType":"matrix","result":[]}'),
  ],
  [
    '/api/v1/query_range?query=up[5m]&start=0&end=1&step=1',
    400,
    bad(
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    ),
  ],
  [
    '/api/v1/query?query=up%20%2B%20on()%20up',
    422,
    '{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\\"up\\", job=\\"a\\", path=\\"\\u003c\\u0026\\u003e\\"}, {__name__=\\"up\\", job=\\"b\\"}];many-to-many matching not allowed: matching labels must be unique on one side"}',
  ],
  // Series and labels.
  ['/api/v1/series?match[]=up', 200, ok(`[${UP_A},${UP_B}]`)],
  ['/api/v1/series?match[]=up&match[]=%7Bjob="a"%7D', 200, ok(`[${UP_A},${UP_B}]`)],
  ['/api/v1/series?match[]=up&limit=1', 200, ok(`[${UP_A}]`, TRUNCATED)],
  ['/api/v1/series?match[]=up&limit=2', 200, ok(`[${UP_A},${UP_B}]`)],
  ['/api/v1/series?match[]=up&end=1', 200, ok('[]')],
  ['/api/v1/series', 400, bad('no match[] parameter provided')],
  [
    '/api/v1/series?match[]=%7Bjob=~".*"%7D',
    400,
    bad('invalid parameter "match[]": match[] must contain at least one non-empty matcher'),
  ],
  [
    '/api/v1/series?match[]=up%5B5m%5D',
    400,
    bad('invalid parameter "match[]": 1:3: parse error: unexpected "["'),
  ],
  [
    '/api/v1/series?match[]=up&start=x',
    400,
    bad('invalid parameter "start": cannot parse "x" to a valid timestamp'),
  ],
  ['/api/v1/labels', 200, ok('["__name__","dotted.name","job","path"]')],
  ['/api/v1/labels?match[]=up{job="b"}', 200, ok('["__name__","job"]')],
  ['/api/v1/labels?limit=2', 200, ok('["__name__","dotted.name"]', TRUNCATED)],
  [
    '/api/v1/labels?start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z&limit=4',
    200,
    ok('["__name__","dotted.name","job","path"]'),
  ],
  [
    '/api/v1/labels?match[]=%7B%7D',
    400,
    bad('match[] must contain at least one non-empty matcher'),
  ],
  ['/api/v1/label/job/values', 200, ok('["a","b"]')],
  ['/api/v1/label/path/values', 200, ok('["\\u003c\\u0026\\u003e"]')],
  ['/api/v1/label/job/values?match[]=up{path!=""}', 200, ok('["a"]')],
  ['/api/v1/label/job/values?limit=1', 200, ok('["a"]', TRUNCATED)],
  ['/api/v1/label/U__dotted_2e_name/values', 200, ok('["v"]')],
  ['/api/v1/label/dotted.name/values', 200, ok('["v"]')],
  ['/api/v1/label/none/values', 200, ok('[]')],
  // Expressions.
  ['/api/v1/format_query?query=sum(up)by(job)', 200, ok('"sum by (job) (up)"')],
  [
    '/api/v1/format_query?query=sum(',
    400,
    bad('invalid parameter "query": 1:5: parse error: unclosed left parenthesis'),
  ],
  ['/api/v1/parse_query?query=-1', 200, ok('{"type":"numberLiteral","val":"-1"}')],
  [
    '/api/v1/parse_query?query=rate(up[5m] offset 1m)',
    200,
    ok(
      '{"type":"call","func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"args":[{"type":"matrixSelector","name":"up","offset":60000,"offsetExpr":null,"matchers":[{"name":"__name__","type":"=","value":"up"}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false,"range":300000,"rangeExpr":null}]}',
    ),
  ],
  [
    '/api/v1/parse_query?query=up offset (-step() %2B (5m))',
    200,
    ok(
      '{"type":"vectorSelector","name":"up","offset":0,"offsetExpr":{"type":"durationExpr","op":"+","lhs":{"type":"durationExpr","op":"-","lhs":null,"rhs":{"type":"durationExpr","op":"step","lhs":null,"rhs":null,"wrapped":false},"wrapped":false},"rhs":{"type":"durationExpr","op":"+","lhs":null,"rhs":{"type":"numberLiteral","val":"300","duration":true},"wrapped":true},"wrapped":true},"matchers":[{"name":"__name__","type":"=","value":"up"}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false}',
    ),
  ],
  ['/api/v1/query_exemplars?query=up', 200, ok('[]')],
  [
    '/api/v1/query_exemplars?query=up&start=2&end=1',
    400,
    bad('end timestamp must not be before start timestamp'),
  ],
  [
    '/api/v1/query_exemplars?query=',
    400,
    bad('unknown position: parse error: no expression found in input'),
  ],
  // Views.
  [
    '/api/v1/alertmanagers',
    200,
    ok('{"activeAlertmanagers":[{"url":"http://a/api/v2/alerts"}],"droppedAlertmanagers":[]}'),
  ],
  ['/api/v1/scrape_pools', 200, ok('{"scrapePools":["app","node"]}')],
  [
    '/api/v1/targets?state=dropped',
    200,
    ok(
      '{"activeTargets":[],"droppedTargets":[{"discoveredLabels":{"__address__":"dropped:1"},"scrapePool":"app"}],"droppedTargetCounts":{"app":1,"node":0}}',
    ),
  ],
  [
    '/api/v1/targets?scrapePool=node',
    200,
    ok('{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{"node":0}}'),
  ],
  ['/api/v1/targets/metadata?limit=x', 400, bad('limit must be a number')],
  [
    '/api/v1/targets/metadata?match_target=%7B',
    400,
    bad('1:2: parse error: unexpected end of input inside braces'),
  ],
  [
    '/api/v1/targets/metadata',
    404,
    '{"status":"error","errorType":"not_found","error":"specified metadata not found"}',
  ],
  ['/api/v1/metadata', 200, ok('{}')],
  ['/api/v1/metadata?limit_per_metric=x', 400, bad('limit_per_metric must be a number')],
  ['/api/v1/rules', 200, ok('{"groups":[]}')],
  ['/api/v1/alerts', 200, ok('{"alerts":[]}')],
  // Status.
  ['/api/v1/status/config', 200, ok('{"yaml":"global: \\u003csecret\\u003e \\u0026 more\\n"}')],
  [
    '/api/v1/status/flags',
    200,
    ok('{"config.file":"prometheus.yml","web.listen-address":":9090"}'),
  ],
  [
    '/api/v1/status/buildinfo',
    200,
    ok(
      '{"version":"3.14.0","revision":"r","branch":"b","buildUser":"u","buildDate":"d","goVersion":"g"}',
    ),
  ],
  [
    '/api/v1/status/runtimeinfo',
    500,
    '{"status":"error","errorType":"internal","error":"unexpected fault"}',
  ],
  ['/api/v1/status/walreplay', 200, ok('{"min":1,"max":3,"current":2}')],
  ['/api/v1/status/tsdb?limit=0', 400, bad('limit must be a positive number')],
  ['/api/v1/status/tsdb?limit=10001', 400, bad('limit must not exceed 10000')],
  [
    '/api/v1/pollux/cardinality',
    200,
    ok('{"by":"metric","since":null,"entries":[{"name":"m","value":10,"before":null}]}'),
  ],
  [
    '/api/v1/pollux/cardinality?by=job&limit=2&since=5',
    200,
    ok('{"by":"job","since":5,"entries":[{"name":"m","value":2,"before":null}]}'),
  ],
  [
    '/api/v1/pollux/cardinality?by=size',
    400,
    bad('invalid parameter "by": "size" is none of metric, label, job'),
  ],
  ['/api/v1/features', 200, ok('{"a":{},"b":{"a":false,"z":true}}')],
  ['/api/v1/notifications', 200, ok('[]')],
  [
    '/api/v1/pollux/coverage',
    404,
    '{"status":"error","errorType":"not_found","error":"this server keeps no coverage"}',
  ],
  ['/api/v1/pollux/status', 200, '{"role":"server"}'],
  ['/api/v1/none', 404, '404 page not found\n'],
  // Outside the API.
  ['/-/healthy', 200, 'Prometheus Server is Healthy.\n'],
  ['/-/ready', 200, 'Prometheus Server is Ready.\n'],
  ['/-/reload', 405, 'Only POST or PUT requests allowed\n'],
  [
    '/version',
    200,
    '{"version":"3.14.0","revision":"r","branch":"b","buildUser":"u","buildDate":"d","goVersion":"g"}',
  ],
  [
    '/federate?match[]=up',
    200,
    `# TYPE up untyped\nup{job="a",path="<&>",instance=""} 1 ${NOW_MS - 1_500}\nup{job="b",instance=""} 0 ${NOW_MS - 1_500}\n`,
  ],
  ['/federate?match[]=old', 200, ''],
  [
    '/federate?match[]=%7B"x.y"%7D',
    200,
    `# TYPE "x.y" untyped\n{"x.y","dotted.name"="v",instance=""} 1e-07 ${NOW_MS - 1_500}\n`,
  ],
  ['/federate?match[]=%7B', 400, '1:2: parse error: unexpected end of input inside braces\n'],
];

describe('the API answers', () => {
  for (const [target, status, body] of CASES) {
    it(`${decodeURIComponent(target)} with ${status}`, async () => {
      const answer = await new World(SERIES).get(target);
      expect(answer.body).toBe(body);
      expect(answer.status).toBe(status);
      if (target.startsWith('/api') && !target.endsWith('/none')) {
        expect(answer.headers['content-type']).toBe('application/json');
      }
    });
  }
});

describe('the API', () => {
  it('takes forms, and repeated parameters in them', async () => {
    const world = new World(SERIES);
    const series = await world.post('/api/v1/series', 'match[]=up&match[]=old');
    expect(series.body).toBe(ok(`[{"__name__":"old"},${UP_A},${UP_B}]`));
    const query = await world.post('/api/v1/query?query=1', 'query=2');
    expect(query.body).toContain('"2"');
  });

  it('refuses other methods', async () => {
    const world = new World(SERIES);
    expect(await world.send('DELETE', '/api/v1/query')).toMatchObject({ status: 405 });
    expect(await world.post('/api/v1/targets', '')).toMatchObject({ status: 405 });
  });

  it('while the log is replayed answers what it can and says of the rest that it comes', async () => {
    const world = new World(SERIES);
    world.readiness = 'replaying';
    for (const page of ['/-/ready', '/version']) {
      expect(await world.get(page)).toMatchObject({ status: 503, body: 'Service Unavailable' });
    }
    const write = await world.post('/api/v1/admin/tsdb/clean_tombstones', '');
    expect(write).toMatchObject({ status: 503, body: 'Service Unavailable' });
    expect(await world.get('/api/v1/query?query=1')).toMatchObject({ status: 200 });
    expect(await world.get('/api/v1/rules')).toMatchObject({ status: 200 });
    // As the storage refuses times that it cannot answer yet, behind whatever is in between.
    const refused = new QueryError('execution', 'expanding series: segment 3 of 12', {
      cause: new UnavailableError('segment 3 of 12'),
    });
    expect(apiErrorOf(refused)).toMatchObject({
      type: 'unavailable',
      status: 503,
      message: 'segment 3 of 12',
    });
  });

  it('answers 503 until it is ready, and says when it is stopping', async () => {
    const world = new World(SERIES);
    world.readiness = 'starting';
    for (const page of ['/api/v1/query?query=1', '/-/ready', '/federate', '/version']) {
      expect(await world.get(page)).toMatchObject({
        status: 503,
        body: 'Service Unavailable',
        headers: { 'x-prometheus-stopping': 'false' },
      });
    }
    expect(await world.get('/-/healthy')).toMatchObject({ status: 200 });
    expect(await world.get('/api/v1/status/walreplay')).toMatchObject({ status: 200 });
    expect(await world.get('/metrics')).toMatchObject({ status: 200 });
    world.readiness = 'stopping';
    expect((await world.get('/-/ready')).headers['x-prometheus-stopping']).toBe('true');
  });

  it('gives cross-origin headers to origins that are allowed', async () => {
    const world = new World(SERIES, { corsOrigin: 'https?://(a|b)' });
    const origin = async (name: string): Promise<unknown> =>
      (await world.get('/api/v1/labels', { origin: name })).headers['access-control-allow-origin'];
    expect(await origin('https://a')).toBe('https://a');
    expect(await origin('https://a.evil')).toBeUndefined();
    const open = new World(SERIES);
    const preflight = await open.send('OPTIONS', '/api/v1/query', { headers: { origin: 'x' } });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, POST, OPTIONS',
      },
    });
    expect((await open.get('/api/v1/labels')).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });

  it('passes on warnings, each once and ten at most', async () => {
    const world = new World(SERIES);
    world.queryable.warnings = Array.from({ length: 13 }, (_, i) => ({
      kind: 'warning' as const,
      text: `w${i % 12}`,
    }));
    const { body } = await world.get('/api/v1/labels');
    const { warnings } = JSON.parse(body) as { warnings: string[] };
    expect(warnings).toHaveLength(11);
    expect(warnings.at(-1)).toBe('2 more warning annotations omitted');
  });

  it('gives a storage fault as an execution error, and an unexpected one as internal', async () => {
    const world = new World(SERIES);
    world.queryable.failure = new InputError('X.Y', '', 'disk <broken>');
    expect(await world.get('/api/v1/series?match[]=up')).toMatchObject({
      status: 422,
      body: '{"status":"error","errorType":"execution","error":"disk \\u003cbroken\\u003e"}',
    });
    world.queryable.failure = new Error('oops');
    expect(await world.get('/api/v1/series?match[]=up')).toMatchObject({ status: 500 });
  });

  it('adds figures inside data when asked', async () => {
    const { body } = await new World(SERIES).get('/api/v1/query?query=up&stats=all');
    const { data } = JSON.parse(body) as { data: Record<string, Record<string, object>> };
    expect(data.resultType).toBe('vector');
    expect(Object.keys(data.stats!.timings!)).toEqual([
      'evalTotalTime',
      'resultSortTime',
      'queryPreparationTime',
      'innerEvalTime',
      'execQueueTime',
      'execTotalTime',
    ]);
    expect(data.stats!.samples).toMatchObject({ totalQueryableSamples: 2 });
  });

  it('names the window and the selectors that an answer rests on', async () => {
    const asked: unknown[] = [];
    const world = new World(SERIES, {
      coverage: {
        describe: (selectors, minMs, maxMs) => {
          asked.push([selectors.map((set) => set.map(String)), minMs - NOW_MS, maxMs - NOW_MS]);
          return 'all of it';
        },
        report: (startMs, endMs) => ({ startMs, endMs }),
      },
    });
    const answer = await world.get('/api/v1/query?query=rate(up[1m] offset 10s)');
    expect(answer.headers['x-pollux-coverage']).toBe('all of it');
    const [[sets, fromMs, toMs]] = asked as [[string[][], number, number]];
    expect(sets).toEqual([['__name__="up"']]);
    expect(fromMs).toBeLessThanOrEqual(-69_999);
    expect(fromMs).toBeGreaterThanOrEqual(-70_000);
    expect(toMs).toBe(-10_000);
    expect((await world.get('/api/v1/pollux/coverage?start=5&end=6')).body).toBe(
      '{"startMs":5000,"endMs":6000}',
    );
    expect((await world.get('/api/v1/pollux/coverage')).body).toBe('{"startMs":null,"endMs":null}');
    expect((await world.get('/api/v1/query?query=x%28')).headers).not.toHaveProperty(
      'x-pollux-coverage',
    );
  });
});
