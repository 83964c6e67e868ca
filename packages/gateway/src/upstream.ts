import { setMaxListeners } from 'node:events';
import {
  type HttpClientRequest,
  type HttpClientResponse,
  type Net,
  OperatingError,
  type StopSignal,
  type StopSource,
} from '@pollux/base';
import type { CoverageReport } from '@pollux/storage';
import { hashText } from './text-hash.ts';

export class UpstreamDownError extends OperatingError {
  constructor(name: string, why: string) {
    super('GATEWAY.UPSTREAM_DOWN', `member ${name} is down: ${why}`);
  }
}

/** Tells what a member without reports covers. */
export type CoverageFollower = {
  /** Null while too little is known. */
  report(): CoverageReport | null;
  seenDown(): void;
  /** Begins what is due; nobody waits for it. */
  keepUp(signal: StopSignal): void;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
};

/** One member of a group as the gateway sees it. Requests in flight end as soon as it is found to be down. */
export class Upstream {
  readonly name: string;
  readonly url: string;
  /** Of its address; put before the path of each request. */
  readonly basePath: string;
  /** False for a member whose health nobody checks: it counts as up. */
  readonly isChecked: boolean;
  #isUp: boolean;
  #isSuspect = false;
  #lastError = 'not checked yet';
  #lastUpMs = 0;
  #down = downSignal();
  readonly #inFlight = new Set<StopSource>();
  #coverage: CoverageReport | null = null;
  /** Set for a member that keeps no coverage of its own. */
  plain: CoverageFollower | null = null;
  #details: unknown = null;

  constructor(name: string, url: string, isChecked = true) {
    this.name = name;
    this.url = url;
    this.basePath = new URL(url).pathname.replace(/\/+$/, '');
    this.isChecked = isChecked;
    this.#isUp = !isChecked;
    if (!isChecked) this.#lastError = '';
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Up, but the last check had no answer in time: nothing in flight is cut, and where replicas are alike others are taken. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  get lastError(): string {
    return this.#lastError;
  }

  /** Wall clock of the last successful check, 0 for never. */
  get lastUpMs(): number {
    return this.#lastUpMs;
  }

  /**
   * Sends a request that ends early when `client` aborts or the member is found to be down. The links are taken off
   * afterwards: AbortSignal.any would keep one per request on a signal that lives as long as the member (Node 20).
   */
  async send(
    net: Net,
    request: Omit<HttpClientRequest, 'signal'>,
    client: StopSignal,
  ): Promise<HttpClientResponse> {
    const both = new AbortController();
    const down = this.#down.signal;
    const onClient = (): void => both.abort(client.reason);
    const onDown = (): void => both.abort(down.reason);
    if (client.aborted) onClient();
    client.addEventListener('abort', onClient, { once: true });
    // A member that is asked although it is down is asked as a last resort; that it is down is no news.
    if (!down.aborted) down.addEventListener('abort', onDown, { once: true });
    try {
      return await net.request({ ...request, signal: both.signal });
    } finally {
      client.removeEventListener('abort', onClient);
      down.removeEventListener('abort', onDown);
    }
  }

  /** `stop` aborts when the member is found to be down, until the returned function is called. */
  cutWhenDown(stop: StopSource): () => void {
    // A member that is asked although it is down is asked as a last resort; that it is down is no news.
    if (!this.#isUp) return () => {};
    this.#inFlight.add(stop);
    return () => this.#inFlight.delete(stop);
  }

  /** The last report polled, or told from its samples; null when nothing is known. */
  get coverage(): CoverageReport | null {
    return this.#coverage;
  }

  /** What the member says of itself at `/api/v1/pollux/status`; null when it says nothing. */
  get details(): unknown {
    return this.#details;
  }

  markUp(nowMs: number): void {
    if (this.#down.signal.aborted) this.#down = downSignal();
    this.#isUp = true;
    this.#isSuspect = false;
    this.#lastError = '';
    this.#lastUpMs = nowMs;
  }

  suspect(why: string): void {
    this.#isSuspect = true;
    this.#lastError = why;
  }

  markDown(why: string): void {
    this.#isUp = false;
    this.#isSuspect = false;
    this.#lastError = why;
    const reason = new UpstreamDownError(this.name, why);
    this.#down.abort(reason);
    for (const stop of [...this.#inFlight]) stop.abort(reason);
    this.#inFlight.clear();
  }

  setCoverage(report: CoverageReport | null): void {
    this.#coverage = report;
  }

  /** An answer has told that samples from before are gone since the last report. Where it has no down-sampled data, nothing is left there. */
  dropBefore(sinceMs: number): void {
    const report = this.#coverage;
    if (report === null || report.sinceMs >= sinceMs) return;
    const hasBuckets = report.bucketsSinceMs < report.sinceMs;
    const bucketsSinceMs = hasBuckets ? report.bucketsSinceMs : sinceMs;
    this.#coverage = { ...report, sinceMs, bucketsSinceMs };
  }

  setDetails(details: unknown): void {
    this.#details = details;
  }
}

/** What a last resort may take: a member that is really down must not hold the client. */
export const LAST_RESORT_MS = 2_000;

/**
 * The members to ask: those that are up, else those that ever were. A check that failed because the machine was busy must not turn into
 * a refusal when there is nobody better. They stand as in gateway.yml, whoever of them is prompt, which each gateway sees for itself.
 */
export function candidates(upstreams: readonly Upstream[]): readonly Upstream[] {
  const up = upstreams.filter((upstream) => upstream.isUp);
  return up.length > 0 ? up : upstreams.filter((upstream) => upstream.lastUpMs > 0);
}

/**
 * The place in `live` of the member that answers `key` if it can: the one of all `members` that the key falls on, or the next after it
 * that is live. Any gateway begins at the same one, and so gives the same of two truths, unless that very member is away for one of them.
 */
export function preferredOf(
  key: string,
  members: readonly Upstream[],
  live: readonly Upstream[],
): number {
  const first = hashText(key) % members.length;
  for (let i = 0; i < members.length; i++) {
    const index = live.indexOf(members[(first + i) % members.length]!);
    if (index >= 0) return index;
  }
  return 0;
}

/** Every request that is in flight listens. */
function downSignal(): AbortController {
  const down = new AbortController();
  setMaxListeners(0, down.signal);
  return down;
}
