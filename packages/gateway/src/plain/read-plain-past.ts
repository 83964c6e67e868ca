import { type Env, type HttpPool, OperatingError, type StopSignal } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import { MemberReader } from '../splice/member-reader.ts';
import { fetchMemberSettings, type MemberSettings } from '../splice/member-settings.ts';
import type { Upstream } from '../upstream.ts';
import type { PlainPast } from './plain-past.ts';

/** Samples of so long are read at once. */
const WINDOW_MS = 3_600_000;
/** A scrape is visible when it has ended: what was read last may have lacked some. */
const OVERLAP_MS = 60_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** In milliseconds; the one in seconds is rounded down. */
const LOWEST = /^prometheus_tsdb_lowest_timestamp (\S+)$/m;

export type PlainReading = {
  readonly env: Env;
  readonly pool: HttpPool;
  readonly timeoutMs: number;
  readonly signal: StopSignal;
};

/** Reads all scrapes that have come since the last time. */
export async function readPlainPast(
  upstream: Upstream,
  past: PlainPast,
  reading: PlainReading,
): Promise<void> {
  const { env, pool, timeoutMs, signal } = reading;
  const settings: MemberSettings = await fetchMemberSettings(upstream, {
    net: env.net,
    headers: {},
    timeoutMs,
    signal,
  });
  const reader = new MemberReader({
    pool,
    upstream,
    headers: {},
    timeoutMs,
    settings,
    replicaLabels: [],
    // Only its own labels tell the order, and there are few.
    isSorting: true,
    onFailure: () => {},
  });
  for (;;) {
    const nowMs = env.clock.now();
    const minMs = past.readToMs - OVERLAP_MS;
    const maxMs = Math.min(past.readToMs + WINDOW_MS, nowMs);
    const budget = new MemoryBudget(MAX_MEMORY_BYTES);
    const matchers = [Matcher.metric('up')];
    const range = { minMs, maxMs };
    const request = { range, matchers, hints: NO_HINTS, sorted: true };
    const lane = reader.open(request, range, { signal, budget });
    const series: SeriesColumns[] = [];
    try {
      for (let batch = await lane.next(); batch !== null; batch = await lane.next())
        for (const one of batch) series.push(one.columns(range));
    } finally {
      lane.close();
    }
    past.add(series, range);
    if (maxMs >= nowMs) return;
  }
}

/** Where its samples begin: −Infinity of a server that does not tell, null while it has none. */
export async function readLowestMs(
  upstream: Upstream,
  { env, timeoutMs, signal }: PlainReading,
): Promise<number | null> {
  const { status, body } = await upstream.send(
    env.net,
    {
      method: 'GET',
      url: `${upstream.url}/metrics`,
      headers: { 'accept-encoding': 'gzip' },
      timeoutMs,
      maxBodyBytes: MAX_PAGE_BYTES,
    },
    signal,
  );
  if (status !== 200) {
    throw new OperatingError('GATEWAY.NO_METRICS', `${upstream.name}: /metrics answered ${status}`);
  }
  const found = LOWEST.exec(new TextDecoder().decode(body))?.[1];
  if (found === undefined) return Number.NEGATIVE_INFINITY;
  const lowestMs = Number(found);
  // An empty database has the largest integer there.
  return Number.isSafeInteger(lowestMs) ? lowestMs : null;
}
