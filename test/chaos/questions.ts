import type { Random } from '@pollux/base';
import type { OneAddress } from './address.ts';
import type { Answer, Point, ValueQuestion } from './record.ts';
import { MEDIAN, NAMES, TARGETS, WAVE_SECONDS } from './targets.ts';
import { BEHIND_MS, RANGE_MS, RATE_WINDOW_MS, STEP_MS } from './times.ts';

type Query = { readonly query: string; readonly what: ValueQuestion };

const TIME = `chaos_time_seconds{instance="${TARGETS[0]}"}`;
const WINDOW = `[${RATE_WINDOW_MS / 1_000}s]`;
const OFFSET_MS = 30_000;
const NEWEST: Query = {
  query: TIME,
  what: { kind: 'time', value: 0, offsetMs: 0, windowMs: 0 },
};

const RATE: Query = {
  query: `rate(${TIME}${WINDOW})`,
  what: { kind: 'slope', value: 1, offsetMs: 0, windowMs: RATE_WINDOW_MS },
};

/** Asked as ranges in turn; what the first shows, a graph shows. */
const RANGES: readonly Query[] = [
  NEWEST,
  RATE,
  {
    query: `histogram_quantile(0.5, rate(chaos_seconds_bucket{instance="${TARGETS[1]}"}${WINDOW}))`,
    what: { kind: 'exact', value: MEDIAN, offsetMs: 0, windowMs: RATE_WINDOW_MS },
  },
  {
    query: `${TIME} offset ${OFFSET_MS / 1_000}s`,
    what: { kind: 'time', value: 0, offsetMs: OFFSET_MS, windowMs: 0 },
  },
  {
    query: `chaos_wave{instance="${TARGETS[0]}"} - chaos_time_seconds % ${WAVE_SECONDS}`,
    what: { kind: 'exact', value: 0, offsetMs: 0, windowMs: 0 },
  },
];
const SERIES = `{__name__=~"${NAMES.join('|')}",instance="${TARGETS[2]}"}`;
/** Of one target: three buckets and one of each other name. */
const SERIES_NAMES = [
  'chaos_seconds_bucket',
  'chaos_seconds_bucket',
  'chaos_seconds_bucket',
  ...NAMES.slice(1),
];

/** Asks a question of each kind a second, all through the address; a range twice, the second time as soon as it is answered. */
export class Questions {
  readonly answers: Answer[] = [];
  readonly #address: OneAddress;
  readonly #random: Random;
  readonly #sinceMs: number;
  #round = 0;

  /** Nothing is asked of before `sinceMs`, when the pair began: there is nothing that only a store could have. */
  constructor(address: OneAddress, random: Random, sinceMs: number) {
    this.#address = address;
    this.#random = random;
    this.#sinceMs = sinceMs;
  }

  /**
   * One second's questions; they do not wait for those of the second before. Their number and their order by chance keep a balancer
   * that takes turns from sending each kind to the same server for ever.
   */
  async askAll(): Promise<void> {
    const round = this.#round++;
    const nowMs = Date.now();
    const areNamesBetween = this.#random.next() < 0.5;
    const names = (): Promise<void> =>
      round % 2 === 0 ? this.#labelValues(nowMs) : this.#seriesNames(nowMs);
    const range = RANGES[round % RANGES.length];
    const endMs = Math.floor((nowMs - BEHIND_MS) / STEP_MS) * STEP_MS;
    await Promise.all([
      this.#instant(NEWEST, nowMs),
      this.#instant(RATE, nowMs - BEHIND_MS),
      range === undefined ? null : this.#rangeTwice(range, endMs),
      areNamesBetween ? names() : null,
    ]);
    if (!areNamesBetween) await names();
  }

  async #instant(query: Query, timeMs: number): Promise<void> {
    await this.#ask(query, { isRange: false, startMs: timeMs, endMs: timeMs, repeats: null });
  }

  async #rangeTwice(query: Query, endMs: number): Promise<void> {
    const firstMs = Math.ceil(
      (this.#sinceMs + query.what.offsetMs + query.what.windowMs) / STEP_MS,
    );
    const startMs = Math.min(endMs, Math.max(endMs - RANGE_MS, firstMs * STEP_MS));
    const times = { isRange: true, startMs, endMs };
    const first = await this.#ask(query, { ...times, repeats: null });
    await this.#ask(query, { ...times, repeats: first });
  }

  async #ask(
    { query, what }: Query,
    times: Pick<Answer, 'isRange' | 'startMs' | 'endMs' | 'repeats'>,
  ): Promise<number> {
    const { isRange, startMs, endMs } = times;
    const parameters: Record<string, string> = isRange
      ? { start: seconds(startMs), end: seconds(endMs), step: seconds(STEP_MS) }
      : { time: seconds(endMs) };
    const path = isRange ? '/api/v1/query_range' : '/api/v1/query';
    const askedMs = Date.now();
    const reply = await this.#address.ask(
      `${path}?${new URLSearchParams({ query, ...parameters })}`,
    );
    const { data, warnings = [] } = parsed<QueryBody>(reply.text);
    const series = data?.result ?? [];
    const [first] = series;
    const values = first?.values ?? (first?.value === undefined ? [] : [first.value]);
    this.answers.push({
      question: query,
      what,
      askedMs,
      tookMs: reply.tookMs,
      error: reply.error,
      points: values.map(([at, value]): Point => [Math.round(at * 1_000), Number(value)]),
      seriesCount: series.length,
      names: [],
      warnings,
      by: reply.by,
      ...times,
    });
    return this.answers.length - 1;
  }

  async #labelValues(nowMs: number): Promise<void> {
    const match = new URLSearchParams({ 'match[]': 'chaos_wave', ...window(nowMs) });
    await this.#names(`/api/v1/label/instance/values?${match}`, nowMs, TARGETS, (text) => {
      return parsed<{ data?: string[] }>(text).data ?? [];
    });
  }

  async #seriesNames(nowMs: number): Promise<void> {
    const match = new URLSearchParams({ 'match[]': SERIES, ...window(nowMs) });
    await this.#names(`/api/v1/series?${match}`, nowMs, SERIES_NAMES, (text) => {
      const { data } = parsed<{ data?: Record<string, string>[] }>(text);
      return (data ?? []).map((labels) => labels.__name__ ?? '');
    });
  }

  async #names(
    target: string,
    nowMs: number,
    expected: readonly string[],
    read: (text: string) => readonly string[],
  ): Promise<void> {
    const reply = await this.#address.ask(target);
    const { warnings = [] } = parsed<QueryBody>(reply.text);
    this.answers.push({
      question: target.split('?', 1)[0] ?? target,
      what: { kind: 'names', expected: [...expected].sort() },
      isRange: false,
      askedMs: nowMs,
      tookMs: reply.tookMs,
      startMs: nowMs,
      endMs: nowMs,
      error: reply.error,
      points: [],
      seriesCount: 0,
      names: [...read(reply.text)].sort(),
      warnings,
      by: reply.by,
      repeats: null,
    });
  }
}

type QueryBody = {
  readonly data?: {
    readonly result?: readonly {
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
  readonly warnings?: readonly string[];
};

/** The body of an answer; an error's body, which the answer's status tells of, may be anything. */
function parsed<T extends object>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    // Told as a failed answer, by its status.
    return {} as T;
  }
}

/** Names of the last minute. */
function window(nowMs: number): Record<string, string> {
  return { start: seconds(nowMs - 60_000), end: seconds(nowMs) };
}

function seconds(ms: number): string {
  return String(ms / 1_000);
}
