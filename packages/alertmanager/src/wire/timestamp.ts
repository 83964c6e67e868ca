/**
 * A point in time as protobuf's Timestamp holds it. Peers write nanoseconds and compare them, so milliseconds alone would
 * make an edit of the same millisecond look equal.
 */
export type WireTime = {
  /** Since 1970. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
};

/** Go's zero time.Time, year 1, as protobuf seconds. */
export const ZERO_TIME_SECONDS = -62_135_596_800;

export function fromMs(ms: number): WireTime {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1_000_000) };
}

/** Whole milliseconds, rounded down. */
export function toMs(time: WireTime): number {
  return time.seconds * 1000 + Math.floor(time.nanos / 1_000_000);
}

export function compareTimes(a: WireTime, b: WireTime): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** `wanted`, or one nanosecond after `previous` when it is not later: the newer version must win at every member. */
export function after(previous: WireTime, wanted: WireTime): WireTime {
  if (compareTimes(wanted, previous) > 0) return wanted;
  return previous.nanos === 999_999_999
    ? { seconds: previous.seconds + 1, nanos: 0 }
    : { seconds: previous.seconds, nanos: previous.nanos + 1 };
}
