import type { HttpRequest, HttpResponse } from '@pollux/base';
import type { Interval } from '@pollux/storage';
import type { SimHost } from '../sim-world.ts';

export const TARGET_PORT = 9100;

/** A thing that is scraped: what it shows is a pure function of the world's time. */
export type TargetPlan = {
  readonly name: string;
  /** Of its counters, a second. */
  readonly rate: number;
  /** When its counters begin again at 0. */
  readonly restartsMs: readonly number[];
  /** When it answers nobody well. */
  readonly dead: readonly Interval[];
  /** When one of its series is not there. */
  readonly hidden: readonly Interval[];
};

/** Serves the page of a target on a host of its own. */
export async function serveTarget(
  host: SimHost,
  target: TargetPlan,
  beganMs: number,
): Promise<void> {
  const { clock, net } = host.env;
  const handler = async (_: HttpRequest): Promise<HttpResponse> => {
    const atMs = clock.now() - beganMs;
    if (isIn(target.dead, atMs)) return { status: 503 };
    return {
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4' },
      body: pageAt(target, atMs),
    };
  };
  const at = { host: host.ip, port: TARGET_PORT };
  await net.serveHttp({ at, maxConnections: 99, readTimeoutMs: 5_000 }, handler);
}

/** Times count from the beginning of the world, before which all targets ran for long. */
export function pageAt({ name, rate, restartsMs, hidden }: TargetPlan, atMs: number): string {
  const beganMs = restartsMs.findLast((restartMs) => restartMs <= atMs) ?? -9e6;
  const count = Math.floor(((atMs - beganMs) * rate) / 1_000);
  const gauge = Math.sin(atMs / 70_000 + name.length + rate);
  const [low, middle] = [Math.floor(count / 3), Math.floor(count / 2)];
  return [
    '# TYPE c_total counter',
    `c_total ${count}`,
    '# TYPE g gauge',
    `g ${gauge}`,
    ...(isIn(hidden, atMs) ? [] : ['# TYPE flap gauge', `flap ${Math.floor(atMs / 1_000)}`]),
    '# TYPE b histogram',
    `b_bucket{le="1"} ${low}`,
    `b_bucket{le="5"} ${middle}`,
    `b_bucket{le="+Inf"} ${count}`,
    `b_sum ${count * 1.5}`,
    `b_count ${count}`,
    '',
  ].join('\n');
}

export function isIn(intervals: readonly Interval[], atMs: number): boolean {
  return intervals.some(({ startMs, endMs }) => atMs >= startMs && atMs < endMs);
}
