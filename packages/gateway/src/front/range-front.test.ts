import { EVERYONE, type HttpResponse, VirtualClock } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { RangeCache } from '@pollux/promql';
import { Registry, renderText } from '@pollux/telemetry';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_FRONT, type FrontConfig } from './front-config.ts';
import { frontMetrics } from './front-metrics.ts';
import { RangeFront, settledChanges } from './range-front.ts';

const NOW_MS = 1_700_006_400_000;
const SETTLED_MS = 600_000;
const DAY_MS = 86_400_000;

/** A server whose every sample is a function of its time, and changes with `version` while it is not settled. */
class World {
  readonly clock = new VirtualClock(NOW_MS);
  readonly registry = new Registry();
  readonly asked: { readonly start: number; readonly end: number }[] = [];
  readonly front: RangeFront;
  replica = 'a';
  warning = '';
  status = 200;
  version = 0;

  constructor(config: Partial<FrontConfig> = {}, isKept = true) {
    const changes = settledChanges(this.clock, () => SETTLED_MS);
    const { registry } = this;
    this.front = new RangeFront({
      clock: this.clock,
      metrics: frontMetrics(registry, () => ({ running: 0, waiting: 0 })),
      config: { ...DEFAULT_FRONT, ...config },
      lookbackMs: 60_000,
      cache: isKept
        ? new RangeCache({ changes, registry, maxBytes: 1 << 20, maxSamples: Infinity })
        : null,
      ask: async (_, form) => this.answer(form),
    });
  }

  answer(form: URLSearchParams): HttpResponse {
    const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(form.get(name)));
    if (start === undefined || end === undefined || step === undefined) throw new Error('range');
    this.asked.push({ start, end });
    const headers = { 'content-type': 'application/json', 'x-pollux-replica': this.replica };
    const nowS = this.clock.now() / 1_000;
    const series = ['x', 'y', 'z'].flatMap((job, index) => {
      const values: [number, string][] = [];
      for (let i = 0; start + i * step <= end + 1e-9; i++) {
        const at = Math.round((start + i * step) * 1_000) / 1_000;
        if ((Math.floor(at / 97) + index) % 5 === 0) continue;
        const late = at * 1_000 > this.clock.now() - SETTLED_MS ? this.version : 0;
        const value = at > nowS ? 0 : Math.sin(at) * 10 ** (index * 9 - 9) + late;
        values.push([at, (Math.floor(at) % 41 === 0 ? Number.NaN : value).toString()]);
      }
      return values.length === 0 ? [] : [{ metric: { __name__: 'up', job }, values }];
    });
    const data = { resultType: 'matrix', result: series };
    const warnings = this.warning === '' ? {} : { warnings: [this.warning] };
    const body =
      this.status === 200
        ? { status: 'success', data, ...warnings }
        : { status: 'error', errorType: 'x', error: 'no' };
    return { status: this.status, headers, body: JSON.stringify(body) };
  }

  form(startMs: number, endMs: number, stepMs: number, query = 'up'): URLSearchParams {
    return new URLSearchParams({
      query,
      start: String(startMs / 1_000),
      end: String(endMs / 1_000),
      step: String(stepMs / 1_000),
    });
  }

  async ask(form: URLSearchParams, authorization = ''): Promise<unknown> {
    const { body } = await this.front.handle(exchange(authorization), form);
    return typeof body === 'string' ? body : new TextDecoder().decode(body as Uint8Array);
  }

  metric(line: string): number {
    const text = renderText(this.registry.gather());
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    return Number(found?.slice(line.length + 1) ?? Number.NaN);
  }
}

function exchange(authorization: string): Exchange {
  const signal = new AbortController().signal;
  const request = {
    method: 'GET',
    target: '/api/v1/query_range',
    headers: authorization === '' ? {} : { authorization },
    remote: { host: '127.0.0.1', port: 1 },
    body: async () => new Uint8Array(),
    stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
    signal,
    principal: EVERYONE,
  };
  const path = '/api/v1/query_range';
  return { request, path, params: {}, query: new URLSearchParams(), principal: EVERYONE, signal };
}

const HOUR_MS = 3_600_000;

describe('range queries at the gateway', () => {
  it('that come again ask only for steps that could change', async () => {
    const world = new World();
    const form = world.form(NOW_MS - HOUR_MS, NOW_MS, 15_000);
    const first = await world.ask(form);
    expect(await world.ask(form)).toBe(first);
    expect(await world.ask(form)).toBe(first);
    const [, , third] = world.asked;
    expect(third?.end).toBe(NOW_MS / 1_000);
    expect(third?.start).toBe((NOW_MS - SETTLED_MS) / 1_000);
  });

  it('are answered by the same bytes as long as nothing has changed, and not longer', async () => {
    const world = new World();
    const form = world.form(NOW_MS - HOUR_MS, NOW_MS, 15_000);
    for (let times = 0; times < 5; times++) await world.ask(form);
    const unchanged = 'pollux_gateway_queries_unchanged_total';
    expect(world.metric(unchanged)).toBe(2);
    world.version++;
    const changed = await world.ask(form);
    expect(changed).toBe(String(world.answer(form).body));
    expect(world.metric(unchanged)).toBe(2);
    for (let times = 0; times < 2; times++) expect(await world.ask(form)).toBe(changed);
    expect(world.metric(unchanged)).toBe(4);
  });

  it('of the past are not asked for at all any more', async () => {
    const world = new World();
    const form = world.form(NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS, 15_000);
    const first = await world.ask(form);
    await world.ask(form);
    expect(await world.ask(form)).toBe(first);
    expect(world.asked).toHaveLength(2);
    expect(world.metric('pollux_query_result_cache_requests_total{result="hit"}')).toBe(1);
  });

  it('are answered byte for byte as one server would, whatever is asked when', async () => {
    const range = fc.record({
      fromS: fc.integer({ min: 0, max: 5 * 3_600 }),
      lengthS: fc.integer({ min: 0, max: 4 * 3_600 }),
      stepS: fc.constantFrom(15, 60, 61),
      query: fc.constantFrom('up', 'rate(up[5m])', 'up offset -5m', 'sum_over_time(up[5m])'),
      waitS: fc.integer({ min: 0, max: 700 }),
      replica: fc.constantFrom('a', 'a', 'a', 'b'),
      split: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 3, maxLength: 12 }), async (asked) => {
        const world = new World({ split_interval: HOUR_MS });
        for (const { fromS, lengthS, stepS, query, waitS, replica } of asked) {
          await world.clock.advance(waitS * 1_000);
          world.version++;
          world.replica = replica;
          const endMs = world.clock.now() - fromS * 1_000;
          const alignedMs = Math.floor(endMs / 60_000) * 60_000;
          const form = world.form(alignedMs - lengthS * 1_000, alignedMs, stepS * 1_000, query);
          for (let again = 0; again < 4; again++) {
            if (again === 3) world.version++;
            expect(await world.ask(form)).toBe(String(world.answer(form).body));
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('that are long are asked for day by day, so many days at a time', async () => {
    const world = new World({ split_concurrency: 2 }, false);
    const form = world.form(NOW_MS - 3 * DAY_MS - 60_000, NOW_MS - 60_000, 420_000);
    const whole = String(world.answer(form).body);
    world.asked.length = 0;
    expect(await world.ask(form)).toBe(whole);
    expect(world.asked.length).toBe(4);
    for (const { start } of world.asked) {
      expect(((start - world.asked[0]!.start) * 1_000) % 420_000).toBe(0);
    }
    expect(world.metric('pollux_gateway_queries_split_total')).toBe(1);
  });

  it.each(['sum_over_time(up[5m])', 'up @ end()', 'no such (', '{job="x"}'])(
    'stay whole where %s does not allow it',
    async (query) => {
      const world = new World();
      const form = world.form(NOW_MS - 9 * DAY_MS, NOW_MS, 420_000, query);
      for (let times = 0; times < 3; times++) await world.ask(form);
      const asked = { start: Number(form.get('start')), end: Number(form.get('end')) };
      expect(world.asked).toEqual([asked, asked, asked]);
    },
  );

  it('with a warning, an error or of several replicas are passed on and not kept', async () => {
    const world = new World();
    const form = world.form(NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS, 15_000);
    await world.ask(form);
    world.warning = 'no replica covers';
    expect(await world.ask(form)).toContain('no replica covers');
    world.warning = '';
    expect(await world.ask(form)).not.toContain('no replica covers');
    const other = world.form(NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS, 15_000, 'rate(up[1m])');
    world.replica = 'a, b';
    for (let times = 0; times < 3; times++) await world.ask(other);
    world.status = 422;
    expect(await world.ask(other)).toContain('"error":"no"');
  });

  it('of one person are not answered from what another was given', async () => {
    const world = new World();
    const form = world.form(NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS, 15_000);
    for (let times = 0; times < 3; times++) await world.ask(form, 'Basic a');
    const { length } = world.asked;
    await world.ask(form, 'Basic b');
    expect(world.asked).toHaveLength(length + 1);
  });

  it('are asked for anew when what is kept has become old', async () => {
    const world = new World();
    const form = world.form(NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS, 15_000);
    for (let times = 0; times < 3; times++) await world.ask(form);
    const { length } = world.asked;
    await world.clock.advance(HOUR_MS);
    await world.ask(form);
    expect(world.asked).toHaveLength(length + 1);
  });
});
