/**
 * Samples of an answer as JSON, `[seconds,"value"],` each: what a query that gives many samples is mostly busy with once they
 * are computed.
 */
import { countDigits, writeDigits, writeFloatAt } from './float-text';

const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const QUOTE = 34;
/** Integers below have at most 15 digits, so that no shorter decimal means the same. */
const MAX_DIGITS_15: f64 = 1e15;
const LEAST_PLAIN: f64 = 1e-6;
const MOST_PLAIN: f64 = 1e21;

/**
 * Texts of times: the series of an answer mostly have the same, and in the same places. Slot i holds that of the sample which was
 * i-th last time: the time, the length of the text, and `[seconds,"` in up to 32 bytes.
 */
const SLOTS = 1024;
const SLOT_BYTES: usize = 48;
const KEPT_TEXT: usize = 32;
const timeTexts: usize = memory.data(1024 * 48, 16);

/**
 * Writes the samples of `times` and `values` to `target` up to one whose value has no text without an exponent; the first is
 * the `first`-th of its series. Returns `samples << 16 | bytes`. `target` has room for 32 bytes more.
 */
export function writeSamples(
  target: usize,
  times: usize,
  values: usize,
  count: i32,
  first: i32,
): i32 {
  let at = target;
  let done = 0;
  // Steps closer to each other than samples show each several times.
  let heldBits: u64 = 0;
  let heldAt: usize = 0;
  let heldBytes: usize = 0;
  for (; done < count; done++) {
    const value = load<f64>(values + ((<usize>done) << 3));
    const bits = reinterpret<u64>(value);
    if (value - value !== 0 || bits === 0x8000000000000000) break;
    const begin = at;
    at = writeOpening(at, load<f64>(times + ((<usize>done) << 3)), first + done);
    if (bits === heldBits && heldBytes > 0) {
      v128.store(at, v128.load(heldAt));
      v128.store(at, v128.load(heldAt, 16), 16);
      at += heldBytes;
      continue;
    }
    heldAt = at;
    const end = writeValue(at, value);
    if (end === at) {
      at = begin;
      break;
    }
    at = end;
    store<u16>(at, QUOTE | (93 << 8));
    store<u8>(at + 2, COMMA);
    at += 3;
    heldBits = bits;
    heldBytes = at - heldAt;
  }
  return (done << 16) | <i32>(at - target);
}

/** `[seconds,"` of the `index`-th sample. */
function writeOpening(target: usize, timeMs: f64, index: i32): usize {
  const slot = timeTexts + <usize>(index & (SLOTS - 1)) * SLOT_BYTES;
  const kept = load<u64>(slot, 8);
  if (kept > 0 && load<f64>(slot) === timeMs) {
    v128.store(target, v128.load(slot, 16));
    v128.store(target, v128.load(slot, 32), 16);
    return target + <usize>kept;
  }
  store<u8>(target, 91);
  let at = writeTime(target + 1, timeMs);
  store<u16>(at, COMMA | (QUOTE << 8));
  at += 2;
  const length = at - target;
  if (length <= KEPT_TEXT) {
    store<f64>(slot, timeMs);
    store<u64>(slot, <u64>length, 8);
    v128.store(slot, v128.load(target), 16);
    v128.store(slot, v128.load(target, 16), 32);
  }
  return at;
}

/** Seconds; a part of a second always has three digits. */
function writeTime(target: usize, timeMs: f64): usize {
  let at = target;
  const size = abs(timeMs);
  const seconds = floor(size / 1000);
  const ms = <u32>(size - seconds * 1000);
  if (timeMs < 0) store<u8>(at++, MINUS);
  at = writeWhole(at, <u64>seconds);
  if (ms === 0) return at;
  store<u8>(at, POINT);
  writeDigits(at + 1, ms, 3);
  return at + 4;
}

/** Where the text ends; `target` when it takes an exponent. */
function writeValue(target: usize, value: f64): usize {
  const size = abs(value);
  if (size < MAX_DIGITS_15) {
    if (floor(size) === size) {
      if (value < 0) store<u8>(target, MINUS);
      return writeWhole(target + <usize>(value < 0), <u64>size);
    }
    // Two decimals of so few digits never mean the same float: one that reads as the value is the shortest.
    const thousands = nearest(size * 1000);
    if (thousands < MAX_DIGITS_15 && thousands > 0 && thousands / 1000 === size) {
      let at = target;
      if (value < 0) store<u8>(at++, MINUS);
      return writeThousandths(at, <u64>thousands);
    }
  }
  // The table of powers is made for values that take no exponent.
  if (size < LEAST_PLAIN || size >= MOST_PLAIN) return target;
  return target + <usize>writeFloatAt(target, value);
}

/** Below 10^17. */
function writeWhole(target: usize, digits: u64): usize {
  const count = countDigits(digits);
  writeDigits(target, digits, count);
  return target + <usize>count;
}

/** Not a multiple of a thousand. */
function writeThousandths(target: usize, thousands: u64): usize {
  const whole = <u64>floor(<f64>thousands / 1000);
  const rest = <u32>(thousands - whole * 1000);
  let at = writeWhole(target, whole);
  store<u8>(at, POINT);
  writeDigits(at + 1, rest, 3);
  at += 4;
  while (load<u8>(at - 1) === ZERO) at--;
  return at;
}
