import { HOSTS, type HostName } from '@pollux/roles/up';
import type { Answer, ChaosRecord, Point, Span, ValueQuestion } from './record.ts';
import { COMMIT_MS, FRESH_MS, NEIGHBOURS_MS, SCRAPE_MS } from './times.ts';

/** A server that is back has been noticed by then. */
const NOTICED_MS = 2_500;
/** How far a window's edge may be from a sample that counts for it: as Prometheus extends a rate, and a little less. */
const EDGE_MS = 1.05 * SCRAPE_MS;
/** A scrape that fails leaves a stale marker when it was due: an interval behind the last, or a little earlier. */
const UNMISSED_MS = 0.95 * SCRAPE_MS;
/** Between two samples of a window that has no hole: one scrape may be missing. */
const HOLE_MS = 2.5 * SCRAPE_MS;

export type Sample = { readonly timeMs: number; readonly servedMs: number };

/** What is known of a run apart from the answers: who scraped what when, and who could be asked. */
export class Truth {
  readonly record: ChaosRecord;
  readonly #samples: Readonly<Record<HostName, readonly Sample[]>>;
  /** And those that it kept though it need not have: it scrapes before it says that it is ready. */
  readonly #kept: Readonly<Record<HostName, readonly Sample[]>>;
  /** With what it has from its twin, behind each loss of its disk. */
  readonly #filled: Readonly<Record<HostName, readonly (readonly Sample[])[]>>;
  /** What each scrape was given, in ms. */
  readonly #served: ReadonlySet<number>;
  readonly #spreadMs: number;

  constructor(record: ChaosRecord) {
    this.record = record;
    this.#samples = { A: this.#samplesOf('A'), B: this.#samplesOf('B') };
    this.#kept = { A: this.#keptOf('A'), B: this.#keptOf('B') };
    this.#filled = { A: this.#filledOf('A'), B: this.#filledOf('B') };
    this.#served = new Set(HOSTS.flatMap((host) => record.scrapes[host]));
    const delays = HOSTS.flatMap((host) => this.#samples[host].map(delayOf));
    this.#spreadMs = spreadOf(delays);
  }

  /** Longest difference between the delays of two scrapes: what makes rates differ from 1. */
  get spreadMs(): number {
    return this.#spreadMs;
  }

  wasServed(valueMs: number): boolean {
    return this.#served.has(Math.round(valueMs));
  }

  /** True when the entry that answered had just been, or still was, where it did not reach the other host's server. */
  isOfCutOff({ askedMs, tookMs, by }: Answer): boolean {
    return this.record.faults.some(
      ({ kind, host, fromMs, endedMs }) =>
        (kind === 'partition' || (kind === 'cut-host' && host === by)) &&
        fromMs <= askedMs + tookMs &&
        endedMs + NOTICED_MS >= askedMs,
    );
  }

  /**
   * Hosts whose server was there to be asked, from before the question until after the answer. Of an entry that did not reach the
   * other host, its own.
   */
  askable(answer: Answer): readonly HostName[] {
    const { askedMs, tookMs, by } = answer;
    const span = { fromMs: askedMs - NOTICED_MS, toMs: askedMs + tookMs };
    const isCutOff = this.isOfCutOff(answer);
    return HOSTS.filter((host) => this.wasUp(`${host}/server`, span) && (!isCutOff || host === by));
  }

  wasUp(process: string, { fromMs, toMs }: Span): boolean {
    const outages = this.record.outages[process] ?? [];
    return outages.every((outage) => outage.toMs < fromMs || outage.fromMs > toMs);
  }

  /**
   * True when the host's samples answer a question at a step: its window has no hole, or of a plain selector, no scrape was missed
   * between its newest sample and the step. Of the time before the run, when the pair was starting, nothing is expected.
   */
  canAnswer(host: HostName, what: ValueQuestion, stepMs: number, askedMs: number): boolean {
    const toMs = stepMs - what.offsetMs;
    const span = { fromMs: toMs - what.windowMs, toMs };
    if (span.fromMs < this.record.fromMs) return false;
    const hadMs = this.#hadSince(host, askedMs);
    if (reaches(this.#samples[host], span, hadMs)) return true;
    if (!this.#hasFilled(host, { fromMs: span.fromMs - HOLE_MS, toMs }, askedMs)) return false;
    const losses = this.record.wiped[host].filter((wipedMs) => wipedMs <= askedMs).length;
    return reaches(this.#filled[host][losses] ?? [], span, Number.NEGATIVE_INFINITY);
  }

  /** True when any server scraped what a step shows, whether it could be asked for it or not. */
  wasScraped(what: ValueQuestion, stepMs: number): boolean {
    if (stepMs - what.offsetMs - what.windowMs < this.record.fromMs) return false;
    return HOSTS.some((host) => this.#hasScraped(host, what, stepMs));
  }

  /**
   * True when nobody who could be asked knows that what a step shows was scraped at all: who scraped it has lost its disk since, or is not
   * reached by the entry that answers; and all scrapes that the others lack failed while they were cut off from the target, as if that had
   * been down. What a server lacks since it was away itself it knows, and who is away now has told what it had.
   */
  isUnknowable(answer: Answer, what: ValueQuestion, stepMs: number): boolean {
    const toMs = stepMs - what.offsetMs;
    const span = { fromMs: toMs - Math.max(what.windowMs, FRESH_MS), toMs };
    const isCutOff = this.isOfCutOff(answer);
    const isGone = (host: HostName): boolean =>
      this.#hadSince(host, answer.askedMs) > span.fromMs || (isCutOff && host !== answer.by);
    return (
      HOSTS.some((host) => isGone(host) && this.#hasScraped(host, what, stepMs)) &&
      HOSTS.every((host) => isGone(host) || this.#lacksByCut(host, span))
    );
  }

  /** When the target answered the last scrape up to a time. */
  newest(host: HostName, atMs: number): number | null {
    const samples = this.#samples[host];
    return samples[indexAfter(samples, atMs) - 1]?.servedMs ?? null;
  }

  /** The error that delays of scrapes may make in a rate over a window. */
  slopeBound(fromMs: number, toMs: number): number {
    const delays = HOSTS.flatMap((host) => between(this.#kept[host], fromMs, toMs).map(delayOf));
    const spreadMs = delays.length > 1 ? spreadOf(delays) : this.#spreadMs;
    return spreadMs / Math.max(SCRAPE_MS, toMs - fromMs - 2 * SCRAPE_MS) + 0.001;
  }

  /**
   * The least rate that is true to a server's scrapes over a window: those that came late leave holes at its edges, over which a rate
   * is extended by half the time between samples only. A server whose scrapes were missed does not count.
   */
  leastSlope(fromMs: number, toMs: number): number {
    const histories = HOSTS.flatMap((host) => [this.#samples[host], ...this.#filled[host]]);
    const slopes = histories.flatMap((samples) => {
      const inside = between(samples, fromMs, toMs);
      const [first] = inside;
      const last = inside.at(-1);
      if (first === undefined || last === undefined || inside.length < 2) return [];
      const edges = [first.timeMs - fromMs, toMs - last.timeMs];
      const holes = inside.map(({ timeMs }, i) => timeMs - (inside[i - 1]?.timeMs ?? timeMs));
      if ([...edges, ...holes].some((gapMs) => gapMs > NEIGHBOURS_MS)) return [];
      const sampledMs = last.timeMs - first.timeMs;
      const betweenMs = sampledMs / (inside.length - 1);
      const extendedMs = edges.map((gapMs) => (gapMs < 1.1 * betweenMs ? gapMs : betweenMs / 2));
      const spanMs = extendedMs.reduce((sum, ms) => sum + ms, sampledMs);
      return [((last.servedMs - first.servedMs) / sampledMs) * (spanMs / (toMs - fromMs))];
    });
    return Math.min(1, ...slopes);
  }

  /** True from the beginning of a fault until so long after everything answered again. */
  isNearFault({ fromMs, toMs }: Span, afterMs: number): boolean {
    return this.record.faults.some(
      (fault) => fault.fromMs <= toMs && fault.recoveredMs + afterMs >= fromMs,
    );
  }

  /** True when a server said within the time that it lacks something else than before: another one may answer from then on. */
  hasLearnt({ fromMs, toMs }: Span): boolean {
    return HOSTS.some((host) =>
      this.record.lacking[host].some(({ atMs }) => atMs >= fromMs && atMs <= toMs),
    );
  }

  #hasScraped(host: HostName, what: ValueQuestion, stepMs: number): boolean {
    const toMs = stepMs - what.offsetMs;
    if (what.windowMs > 0) return covers(this.#samples[host], toMs - what.windowMs, toMs);
    const newestMs = this.newest(host, toMs - COMMIT_MS);
    return newestMs !== null && newestMs > toMs - FRESH_MS;
  }

  /** True when a host has holes within a time, and each lies within a fault that cut it off from its targets. */
  #lacksByCut(host: HostName, { fromMs, toMs }: Span): boolean {
    const cuts = this.record.faults.filter(
      (fault) => fault.host === host && (fault.kind === 'cut-link' || fault.kind === 'cut-host'),
    );
    const samples = this.#samples[host];
    const holes = samples.flatMap((sample, i): Span[] => {
      const next = samples[i + 1]?.timeMs ?? Number.POSITIVE_INFINITY;
      const isHole = next - sample.timeMs > NEIGHBOURS_MS;
      return isHole && sample.timeMs < toMs && next > fromMs
        ? [{ fromMs: sample.timeMs, toMs: next }]
        : [];
    });
    return (
      holes.length > 0 &&
      holes.every((hole) =>
        cuts.some(
          (cut) =>
            hole.fromMs > cut.fromMs - NEIGHBOURS_MS && hole.toMs < cut.recoveredMs + NEIGHBOURS_MS,
        ),
      )
    );
  }

  /** True when a server had said before the question that it lacks nothing of a time any more. */
  #hasFilled(host: HostName, { fromMs, toMs }: Span, askedMs: number): boolean {
    const last = this.record.lacking[host]
      .filter(({ atMs }) => atMs <= askedMs - NOTICED_MS)
      .at(-1);
    return last?.gaps.every((gap) => gap.toMs <= fromMs || gap.fromMs > toMs) === true;
  }

  /** What a server that is asked then still has on its disk begins here. */
  #hadSince(host: HostName, askedMs: number): number {
    return Math.max(
      Number.NEGATIVE_INFINITY,
      ...this.record.wiped[host].filter((wipedMs) => wipedMs <= askedMs),
    );
  }

  /**
   * What a server has when its gaps are filled: own scrapes and its twin's; first before any loss of its disk, then behind each, when
   * all from before is the twin's. What it was given after a loss it need not have had before it.
   */
  #filledOf(host: HostName): readonly (readonly Sample[])[] {
    const { record } = this;
    const own = new Set(record.scrapes[host]);
    const others = new Set(HOSTS.flatMap((other) => (other === host ? [] : record.scrapes[other])));
    const disks = disksOf(record.samples[host]);
    return [Number.NEGATIVE_INFINITY, ...record.wiped[host]].map((wipedMs, index) =>
      [
        ...this.#samples[host].filter(({ timeMs }) => timeMs > wipedMs),
        ...(disks[index] ?? disks.at(-1) ?? [])
          .map(sampleOf)
          // Stale markers have no such value.
          .filter(({ servedMs }) => others.has(servedMs) && !own.has(servedMs)),
      ].sort((a, b) => a.timeMs - b.timeMs),
    );
  }

  #keptOf(host: HostName): readonly Sample[] {
    const own = new Set(this.record.scrapes[host]);
    const kept = this.record.samples[host].map(sampleOf);
    return [...this.#samples[host], ...kept.filter(({ servedMs }) => own.has(servedMs))].sort(
      (a, b) => a.timeMs - b.timeMs,
    );
  }

  /** Scrapes that a server must have kept: not those that were under way when it fell, or came before it was ready. */
  #samplesOf(host: HostName): Sample[] {
    const { record } = this;
    // Own ones first: a scrape of the twin's may have been answered in the same millisecond.
    const times = new Map<number, number>();
    for (const [timeMs, value] of record.samples[host]) {
      const servedMs = Math.round(value * 1_000);
      if (!times.has(servedMs)) times.set(servedMs, timeMs);
    }
    const outages = record.outages[`${host}/server`] ?? [];
    return record.scrapes[host]
      .filter((servedMs) =>
        outages.every(({ fromMs, toMs }) => servedMs < fromMs - COMMIT_MS || servedMs > toMs),
      )
      .map((servedMs) => ({ servedMs, timeMs: times.get(servedMs) ?? servedMs }))
      .sort((a, b) => a.timeMs - b.timeMs);
  }
}

function sampleOf([timeMs, value]: Point): Sample {
  return { timeMs, servedMs: Math.round(value * 1_000) };
}

/** The points of each disk that a host has had: their times begin anew with the next one. */
function disksOf(points: readonly Point[]): readonly (readonly Point[])[] {
  const disks: Point[][] = [];
  let beforeMs = Number.POSITIVE_INFINITY;
  for (const point of points) {
    if (point[0] < beforeMs) disks.push([]);
    disks.at(-1)?.push(point);
    beforeMs = point[0];
  }
  return disks;
}

/** A window without a hole, or a sample that no missed scrape lies behind. */
function reaches(samples: readonly Sample[], { fromMs, toMs }: Span, hadMs: number): boolean {
  if (fromMs < toMs) return fromMs > hadMs && covers(samples, fromMs, toMs);
  const index = indexAfter(samples, toMs - COMMIT_MS);
  const newest = samples[index - 1];
  if (newest === undefined || newest.timeMs <= hadMs) return false;
  const next = samples[index];
  const isBetween = next !== undefined && next.timeMs - newest.timeMs <= NEIGHBOURS_MS;
  return isBetween || newest.timeMs > toMs - UNMISSED_MS;
}

function covers(samples: readonly Sample[], fromMs: number, toMs: number): boolean {
  const inside = between(samples, fromMs, toMs);
  const [first] = inside;
  const last = inside.at(-1);
  if (first === undefined || last === undefined) return false;
  if (first.timeMs - fromMs > EDGE_MS || toMs - last.timeMs > EDGE_MS) return false;
  return inside.every(
    ({ timeMs }, i) => i === 0 || timeMs - (inside[i - 1]?.timeMs ?? 0) <= HOLE_MS,
  );
}

function between(samples: readonly Sample[], fromMs: number, toMs: number): readonly Sample[] {
  return samples.slice(indexAfter(samples, fromMs), indexAfter(samples, toMs));
}

function delayOf({ timeMs, servedMs }: Sample): number {
  return servedMs - timeMs;
}

function spreadOf(values: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return values.length === 0 ? 0 : most - least;
}

/** Index of the first sample after a time. */
function indexAfter(samples: readonly Sample[], atMs: number): number {
  let low = 0;
  let high = samples.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples[middle]?.timeMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
