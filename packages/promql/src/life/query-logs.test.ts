import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { ActiveQueries } from './active-queries.ts';
import { ActiveQueryFile, ENTRY_BYTES, entryText } from './active-query-file.ts';
import type { QueryAbout, QueryOutcome } from './query-life.ts';
import { QueryLog } from './query-log.ts';
import { SlowQueryLog } from './slow-query-log.ts';

const NOW_MS = 1_700_000_000_000;
const root = mkdtempSync(join(tmpdir(), 'pollux-query-logs-'));
afterAll(() => rmSync(root, { recursive: true }));

let lines: string[] = [];
let directory = '';
beforeEach(() => {
  lines = [];
  directory = mkdtempSync(join(root, 'case-'));
});

const log = new Log({
  level: 'info',
  format: 'json',
  now: () => NOW_MS,
  write: (line) => lines.push(line),
});
const clock = new VirtualClock(NOW_MS);
const files = new NodeFiles();
const never = new AbortController().signal;

function about(query: string): QueryAbout {
  return { query, startMs: NOW_MS, endMs: NOW_MS, stepMs: 0, origin: { kind: 'internal' } };
}

const ANSWERED: QueryOutcome = {
  error: null,
  stats: {
    queueMs: 1,
    prepareMs: 2,
    evalMs: 4,
    totalQueryableSamples: 7,
    samplesRead: 6,
    peakSamples: 5,
    perStep: null,
  },
};

describe('queries.active', () => {
  const open = (slots: number): { file: ActiveQueryFile; active: ActiveQueries; path: string } => {
    const path = join(directory, 'queries.active');
    const file = new ActiveQueryFile({ files, clock, log, path, slots });
    return { file, active: new ActiveQueries(clock, [file]), path };
  };

  it('has the layout of Prometheus: a bracket and slots of 1,000 bytes with a comma at the end of those taken', () => {
    const { active, path } = open(3);
    active.begin(about('up'), never).running(() => 0);
    active.begin(about('queued'), never);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(3_001);
    const first = '{"query":"up","timestamp_sec":1700000000}';
    expect(bytes.toString('latin1', 0, 1_001)).toBe(`[${first}${'\0'.repeat(999 - first.length)},`);
    expect(bytes.subarray(1_001).every((byte) => byte === 0)).toBe(true);
  });

  it('tells at the next start which queries ran when the process died, and only once', () => {
    const before = open(3);
    const lives = ['a', 'b{x="\u{1f600}"}', 'c'].map((query) =>
      before.active.begin(about(query), never),
    );
    for (const life of lives) life.running(() => 0);
    lives[0]!.end(ANSWERED);
    expect(lines).toEqual([]);
    open(5);
    const told = JSON.parse(lines[0]!);
    expect(told.msg).toBe("These queries didn't finish in prometheus' last run:");
    expect(JSON.parse(told.queries)).toEqual([
      { query: 'b{x="\u{1f600}"}', timestamp_sec: 1_700_000_000 },
      { query: 'c', timestamp_sec: 1_700_000_000 },
    ]);
    open(5);
    expect(lines).toHaveLength(1);
  });

  it('is understood when Prometheus itself or a broken disk has left it', () => {
    const path = join(directory, 'queries.active');
    writeFileSync(path, `[${'{"query":"up","timestamp_sec":1}'.padEnd(999, '\0')},\0\0`);
    open(1);
    expect(JSON.parse(lines[0]!).queries).toBe('[{"query":"up","timestamp_sec":1}]');
    for (const content of ['', '[', '\0\0\0']) {
      writeFileSync(path, content);
      open(1);
    }
    expect(lines).toHaveLength(1);
  });

  it('gives slots back, and goes on without one when more queries run than it has', () => {
    const { active, path } = open(1);
    for (let round = 0; round < 3; round++) {
      const lives = ['first', 'second'].map((query) => active.begin(about(query), never));
      for (const life of lives) life.running(() => 0);
      expect(readFileSync(path, 'utf8')).toContain('first');
      for (const life of lives) life.end(ANSWERED);
      expect(readFileSync(path, 'utf8').replaceAll('\0', '')).toBe('[');
    }
  });

  it('holds whole JSON of any query, with as much of it as there is room for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (query) => {
        const text = entryText(query, 1_700_000_000);
        expect(Buffer.byteLength(text)).toBeLessThan(ENTRY_BYTES);
        const kept = JSON.parse(text).query as string;
        expect(query.startsWith(kept)).toBe(true);
        if (Buffer.byteLength(JSON.stringify(query)) < 900) expect(kept).toBe(query);
        else expect(Buffer.byteLength(text)).toBeGreaterThan(ENTRY_BYTES - 12);
      }),
    );
  });

  it('is done without when it cannot be written', () => {
    directory = join(directory, 'none');
    const { active } = open(2);
    const life = active.begin(about('up'), never);
    life.running(() => 0);
    life.end(ANSWERED);
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(['ERROR']);
  });
});

describe('the query log', () => {
  const open = (): {
    queryLog: QueryLog;
    active: ActiveQueries;
    path: string;
    registry: Registry;
  } => {
    const registry = new Registry();
    const queryLog = new QueryLog({ files, clock, log, registry });
    const path = join(directory, 'query.log');
    return { queryLog, active: new ActiveQueries(clock, [queryLog]), path, registry };
  };

  it('has a line for each query that ended, with who asked, the figures and the error', () => {
    const { queryLog, active, path } = open();
    queryLog.prepare(path)();
    const http = {
      kind: 'http',
      method: 'GET',
      path: '/api/v1/query_range',
      clientIp: '10.0.0.1',
      userAgent: 'Grafana',
    } as const;
    const range = { query: 'up', startMs: 500, endMs: 60_000, stepMs: 15_000, origin: http };
    active.begin(range, never).end({ ...ANSWERED, error: 'too much' });
    active
      .begin({ ...about('1'), origin: { kind: 'rule', file: 'r.yml', group: 'g' } }, never)
      .end(ANSWERED);
    const [first, second] = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      time: '2023-11-14T22:13:20.000Z',
      level: 'INFO',
      source: 'query-log',
      msg: 'promql query logged',
      params: {
        query: 'up',
        start: '1970-01-01T00:00:00.500Z',
        end: '1970-01-01T00:01:00.000Z',
        step: 15,
      },
      error: 'too much',
      stats: {
        timings: {
          evalTotalTime: 0.006,
          resultSortTime: 0,
          queryPreparationTime: 0.002,
          innerEvalTime: 0.004,
          execQueueTime: 0.001,
          execTotalTime: 0.007,
        },
        samples: { totalQueryableSamples: 7, samplesRead: 6, peakSamples: 5 },
      },
      spanID: '0000000000000000',
      traceID: '00000000000000000000000000000000',
      httpRequest: { clientIP: '10.0.0.1', method: 'GET', path: '/api/v1/query_range' },
      ts: '2023-11-14T22:13:20.000Z',
    });
    expect(second.ruleGroup).toEqual({ file: 'r.yml', name: 'g' });
    expect(Object.hasOwn(second, 'error')).toBe(false);
  });

  it('is opened anew by a reload, switched off by one, and left as it was when the new file cannot be opened', () => {
    const { queryLog, active, path, registry } = open();
    const end = (): void => active.begin(about('up'), never).end(ANSWERED);
    const enabled = (): boolean =>
      renderText(registry.gather()).includes('prometheus_engine_query_log_enabled 1');
    end();
    queryLog.prepare(path)();
    renameSync(path, `${path}.1`);
    end();
    queryLog.prepare(path)();
    end();
    expect(() => queryLog.prepare(join(directory, 'none', 'q.log'))).toThrow('ENOENT');
    end();
    expect(enabled()).toBe(true);
    queryLog.prepare('')();
    end();
    expect(enabled()).toBe(false);
    const count = (name: string): number => readFileSync(name, 'utf8').split('\n').length - 1;
    expect([count(`${path}.1`), count(path)]).toEqual([1, 2]);
  });
});

describe('the log of slow queries', () => {
  it('tells those over the threshold, wait included, with their plan', async () => {
    const slow = new SlowQueryLog({ log, thresholdMs: 7, explain: () => 'the plan' });
    const active = new ActiveQueries(clock, [slow]);
    active
      .begin(about('fast'), never)
      .end({ ...ANSWERED, stats: { ...ANSWERED.stats, queueMs: 0 } });
    active.begin(about('slow'), never).end(ANSWERED);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'slow query', query: 'slow', queue_ms: 1, exec_ms: 6, samples: 7, plan: 'the plan' },
    ]);
  });

  it.each([
    [
      'sum by (job) (rate(a{x="y"}[5m] offset 1m))',
      'sum by(job)[rate[windows of 5m(a{x="y"} offset 1m; labels job __name__ __type__ __unit__)]]',
    ],
    [
      'topk(2, a @ 60) + on(job) group_left() b',
      'binary +[once[topk by()[2, select(a @ 60.000)]], select(b)]',
    ],
    ['max_over_time((-a)[10m:1m])', 'max_over_time[subquery(10m:1m)[negate[select(a)]]]'],
    ['a[5m]', 'windows of 5m(a)'],
    ['sum(', '1:5: parse error: unclosed left parenthesis'],
  ])('explains %s', (query, plan) => {
    const engine = new Engine({ clock, registry: new Registry(), log: Log.silent() });
    expect(engine.explain(query, { startMs: 0, endMs: 600_000, stepMs: 15_000 })).toBe(plan);
  });
});
