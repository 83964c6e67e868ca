import { type Clock, type Env, type HttpPool, OperatingError, type StopSignal } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import { MemberReader } from '../splice/member-reader.ts';
import { fetchMemberSettings } from '../splice/member-settings.ts';
import type { Upstream } from '../upstream.ts';
import type { PlainPast } from './plain-past.ts';

/** Samples of so long are read at once. */
const WINDOW_MS = 3_600_000;
const TIMEOUT_MS = 60_000;
/** A scrape is visible when it has ended: what was read last may have lacked some. */
const OVERLAP_MS = 60_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** In milliseconds; the one in seconds is rounded down. */
const LOWEST = /^prometheus_tsdb_lowest_timestamp (\S+)$/m;

/** Where what is known of scrapes comes from. */
export type ScrapesSource = {
  /** Where the samples begin: −Infinity of who does not tell, null while there are none. */
  lowestMs(signal: StopSignal): Promise<number | null>;
  /** Where scrapes begin within what is looked at, nothing lies before; and what servers have scraped last has not come yet. */
  readonly isStore: boolean;
  /** False while it cannot be read yet. */
  isReady(): boolean;
  open(signal: StopSignal): Promise<MemberReader>;
};

/** A server's own samples. */
export function ownScrapes(env: Env, pool: HttpPool, upstream: Upstream): ScrapesSource {
  return {
    isStore: false,
    isReady: () => true,
    lowestMs: (signal) => readLowestMs(env, upstream, signal),
    open: async (signal) => {
      const how = { net: env.net, headers: {}, timeoutMs: TIMEOUT_MS, signal };
      const settings = await fetchMemberSettings(upstream, how);
      return new MemberReader({
        pool,
        upstream,
        headers: {},
        timeoutMs: TIMEOUT_MS,
        settings,
        replicaLabels: [],
        // Only its own labels tell the order, and there are few.
        isSorting: true,
        onFailure: () => {},
      });
    },
  };
}

/** Reads all scrapes that have come since the last time. */
export async function readScrapes(
  reader: MemberReader,
  past: PlainPast,
  clock: Clock,
  signal: StopSignal,
): Promise<void> {
  for (;;) {
    const nowMs = clock.now();
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

/** As {@link ScrapesSource} has it. */
async function readLowestMs(
  env: Env,
  upstream: Upstream,
  signal: StopSignal,
): Promise<number | null> {
  const { status, body } = await upstream.send(
    env.net,
    {
      method: 'GET',
      url: `${upstream.url}/metrics`,
      headers: { 'accept-encoding': 'gzip' },
      timeoutMs: TIMEOUT_MS,
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
