/**
 * What a remote-write receiver does with every byte, on memory of its own: opens the snappy block, walks the messages, and
 * tells which of the series it has seen before. Faces and layout: `src/write-requests/`. It takes the form that senders
 * write and stops in front of anything else; the caller has a decoder for all forms.
 *
 * A series is known by the length of its label bytes and 96 bits of a keyed hash of them ({@link print}), not by the bytes: they
 * would be most of what a series costs. Two series of one length have the same 96 bits with a probability below 2^-92, whatever
 * their labels are, for senders who do not know the key. After each series stands the one that followed it last time, and senders
 * keep their order: what is guessed right is found without parsing labels and without a search.
 */
import { openBlock } from './snappy-block';

const NONE: u32 = 0xffffffff;
/** Offsets in an entry: three words of the hash, length of the label bytes, reference, follower. */
const PRINT: usize = 0;
const LENGTH: usize = 12;
const REF: usize = 16;
const NEXT: usize = 20;
const ENTRY_BYTES: usize = 24;
const LEAST_SLOTS: u32 = 1024;
/** A slot is a word: entry + 1, and above it bits of the hash, so that few other entries are looked at. */
const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
/** Longer label bytes are hashed by SipHash. */
const MOST_NH: u32 = 1024;
/** Behind the key of NH: nine words of 64 bits for its sums, then 32 bytes of ones and 32 of zeros, to cut off what follows a text. */
const SUMS_KEY: usize = <usize>MOST_NH + 64;
const TAIL_MASKS: usize = SUMS_KEY + 72;

let compressed: usize = 0;
let decoded: usize = 0;
let labelStarts: usize = 0;
let labelEnds: usize = 0;
let seriesRefs: usize = 0;
let sampleSeries: usize = 0;
let timestamps: usize = 0;
let values: usize = 0;
/** Series, and samples, that the columns of one walk hold. */
let capacity: u32 = 0;
let entries: usize = 0;
let mostEntries: u32 = 0;
/** 0 = free. Always twice as many as entries. */
let slots: usize = 0;
/** Secret words, and the masks behind them. */
let keys: usize = 0;
let key0: u64 = 0;
let key1: u64 = 0;

let mask: u32 = LEAST_SLOTS - 1;
let count: u32 = 0;
/** The entry found last. */
let last: u32 = NONE;
let walkedSeries: u32 = 0;
let walkedSamples: u32 = 0;
/** The hash that {@link print} has made last, and of which bytes. */
let print0: u32 = 0;
let print1: u32 = 0;
let print2: u32 = 0;
let printedAt: usize = 0;
let printedBytes: u32 = 0;

export function placeMessage(compressedAt: usize, decodedAt: usize): void {
  compressed = compressedAt;
  decoded = decodedAt;
}

export function placeColumns(
  labelStartsAt: usize,
  labelEndsAt: usize,
  seriesRefsAt: usize,
  sampleSeriesAt: usize,
  timestampsAt: usize,
  valuesAt: usize,
  size: u32,
): void {
  labelStarts = labelStartsAt;
  labelEnds = labelEndsAt;
  seriesRefs = seriesRefsAt;
  sampleSeries = sampleSeriesAt;
  timestamps = timestampsAt;
  values = valuesAt;
  capacity = size;
}

export function placeTable(entriesAt: usize, most: u32, slotsAt: usize): void {
  entries = entriesAt;
  mostEntries = min(most, SLOT_MASK);
  slots = slotsAt;
}

/** Bytes that {@link seed} fills. */
export function keyBytes(): u32 {
  return <u32>TAIL_MASKS + 64;
}

/** Makes all keys of four secret words: SipHash of a counter. */
export function seed(a: u32, b: u32, c: u32, d: u32, keysAt: usize): void {
  key0 = halves(a, b);
  key1 = halves(c, d);
  keys = keysAt;
  for (let at: usize = 0; at < TAIL_MASKS; at += 8) {
    store<u64>(keys + TAIL_MASKS, <u64>at);
    store<u64>(keys + at, hash(keys + TAIL_MASKS, 8, 0));
  }
  memory.fill(keys + TAIL_MASKS, 0xff, 32);
  memory.fill(keys + TAIL_MASKS + 32, 0, 32);
}

export function seriesCount(): u32 {
  return walkedSeries;
}
export function sampleCount(): u32 {
  return walkedSamples;
}
export function size(): u32 {
  return count;
}

/**
 * Opens the block of `bytes` bytes in `compressed`; returns the length, or −1 when it is malformed or longer than `room`.
 * Both regions have 32 spare bytes behind them, so that copies go by whole vectors.
 */
export function decompress(bytes: u32, room: u32): i32 {
  printedAt = 0;
  return openBlock(compressed, bytes, decoded, room);
}

/**
 * Walks the fields of a WriteRequest in `decoded[from, end)` while they are series of labels followed by samples, into the
 * columns; `firstSeries` is the number of the first. A series that is not known has the reference 0. Returns where it stopped: at the
 * end, or at the beginning of a field that it does not take (also for want of room in the columns).
 */
export function walk(from: u32, end: u32, firstSeries: u32): u32 {
  const stop = decoded + <usize>end;
  let at = decoded + <usize>from;
  walkedSeries = 0;
  walkedSamples = 0;
  printedAt = 0;
  while (at < stop && walkedSeries < capacity) {
    if (load<u8>(at) !== 0x0a) break;
    let labels = at + 1;
    let bytes = <u32>load<u8>(labels++);
    if (bytes >= 0x80) {
      bytes &= 0x7f;
      let byte: u32 = 0x80;
      // Four bytes tell lengths to 2^28, more than the memory has.
      for (let shift: u32 = 7; shift <= 21 && byte >= 0x80; shift += 7) {
        byte = <u32>load<u8>(labels++);
        bytes |= (byte & 0x7f) << shift;
      }
      if (byte >= 0x80) break;
    }
    if (labels > stop || <usize>bytes > stop - labels) break;
    const seriesEnd = labels + <usize>bytes;
    const labelsEnd = knownLabels(labels, seriesEnd);
    if (labelsEnd === 0) break;
    if (!walkSamples(labelsEnd, seriesEnd, firstSeries + walkedSeries)) break;
    const column = (<usize>walkedSeries) << 2;
    store<u32>(labelStarts + column, <u32>(labels - decoded));
    store<u32>(labelEnds + column, <u32>(labelsEnd - decoded));
    store<u32>(seriesRefs + column, foundRef);
    walkedSeries++;
    at = seriesEnd;
  }
  return <u32>(at - decoded);
}

/** What {@link knownLabels} has found. */
let foundRef: u32 = 0;

/** The end of the label fields at the beginning of a series, or 0 when there are none or they are malformed. */
function knownLabels(start: usize, end: usize): usize {
  const guess = last === NONE ? NONE : load<u32>(entryAt(last), NEXT);
  if (guess !== NONE) {
    const entry = entryAt(guess);
    const bytes = load<u32>(entry, LENGTH);
    const labelsEnd = start + <usize>bytes;
    if (<usize>bytes <= end - start && (labelsEnd === end || load<u8>(labelsEnd) !== 0x0a)) {
      print(start, bytes);
      if (isPrint(entry)) {
        last = guess;
        foundRef = load<u32>(entry, REF);
        return labelsEnd;
      }
    }
  }
  let at = start;
  while (at < end && load<u8>(at) === 0x0a) {
    let bytes = <u32>load<u8>(++at);
    at++;
    if (bytes >= 0x80) {
      const byte = <u32>load<u8>(at++);
      // Two bytes tell lengths to 16,383; longer labels are left to the caller.
      if (byte >= 0x80) return 0;
      bytes = (bytes & 0x7f) | (byte << 7);
    }
    if (at > end || <usize>bytes > end - at) return 0;
    at += <usize>bytes;
  }
  if (at === start) return 0;
  print(start, <u32>(at - start));
  const found = find(<u32>(at - start));
  foundRef = 0;
  if (found !== NONE) {
    if (last !== NONE) store<u32>(entryAt(last), found, NEXT);
    last = found;
    foundRef = load<u32>(entryAt(found), REF);
  }
  return at;
}

/** Samples in `[start, end)` to the columns; false, with none of them taken, when there is something else. */
function walkSamples(start: usize, end: usize, series: u32): bool {
  let index = walkedSamples;
  let at = start;
  while (at < end) {
    if (end - at < 2 || load<u8>(at) !== 0x12 || index === capacity) return false;
    const bytes = <usize>load<u8>(at, 1);
    at += 2;
    if (bytes >= 0x80 || bytes > end - at) return false;
    const sampleEnd = at + bytes;
    let value: u64 = 0;
    if (bytes >= 9 && load<u8>(at) === 0x09) {
      value = load<u64>(at, 1);
      at += 9;
    }
    let timestamp: u64 = 0;
    if (at < sampleEnd) {
      if (load<u8>(at++) !== 0x10) return false;
      // Seven bytes hold what is below 2^49; other times are left to the caller.
      for (let shift: u64 = 0; ; shift += 7) {
        if (at >= sampleEnd || shift > 42) return false;
        const byte = <u64>load<u8>(at++);
        timestamp |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      if (at !== sampleEnd) return false;
    }
    store<u32>(sampleSeries + ((<usize>index) << 2), series);
    store<f64>(timestamps + ((<usize>index) << 3), <f64>timestamp);
    store<u64>(values + ((<usize>index) << 3), value);
    index++;
  }
  walkedSamples = index;
  return true;
}

/** The reference of the series with the `bytes` bytes of labels at address `at`, or 0. */
export function refOf(at: usize, bytes: u32): u32 {
  print(at, bytes);
  const entry = find(bytes);
  return entry === NONE ? 0 : load<u32>(entryAt(entry), REF);
}

/** Remembers or replaces a reference; 0 forgets it. Starts anew when the table is full. */
export function setRef(at: usize, bytes: u32, ref: u32): void {
  print(at, bytes);
  const known = find(bytes);
  if (known !== NONE) {
    store<u32>(entryAt(known), ref, REF);
    return;
  }
  if (count === mostEntries) clear();
  if ((count + 1) * 2 > mask + 1) enlarge();
  const entry = entryAt(count);
  store<u32>(entry, print0, PRINT);
  store<u32>(entry, print1, PRINT + 4);
  store<u32>(entry, print2, PRINT + 8);
  store<u32>(entry, bytes, LENGTH);
  store<u32>(entry, ref, REF);
  store<u32>(entry, NONE, NEXT);
  occupy(print0, print1, count++);
}

export function clear(): void {
  memory.fill(slots, 0, (<usize>mask + 1) << 2);
  count = 0;
  last = NONE;
}

/** The bytes at an address that the owner has written anew are other ones. */
export function forgetPrint(): void {
  printedAt = 0;
}

function enlarge(): void {
  mask = (mask << 1) | 1;
  memory.fill(slots, 0, (<usize>mask + 1) << 2);
  for (let index: u32 = 0; index < count; index++) {
    const entry = entryAt(index);
    occupy(load<u32>(entry, PRINT), load<u32>(entry, PRINT + 4), index);
  }
}

function occupy(low: u32, high: u32, entry: u32): void {
  let slot = low & mask;
  while (load<u32>(slots + ((<usize>slot) << 2)) !== 0) slot = (slot + 1) & mask;
  store<u32>(slots + ((<usize>slot) << 2), (high & ~SLOT_MASK) | (entry + 1));
}

/** The entry of the bytes that were hashed last, `bytes` of them. */
function find(bytes: u32): u32 {
  let slot = print0 & mask;
  while (true) {
    const stored = load<u32>(slots + ((<usize>slot) << 2));
    if (stored === 0) return NONE;
    if (((stored ^ print1) & ~SLOT_MASK) === 0) {
      const index = (stored & SLOT_MASK) - 1;
      const entry = entryAt(index);
      if (load<u32>(entry, LENGTH) === bytes && isPrint(entry)) return index;
    }
    slot = (slot + 1) & mask;
  }
}

/** Whether the entry's hash is the one made last. */
function isPrint(entry: usize): bool {
  return (
    load<u32>(entry, PRINT) === print0 &&
    load<u32>(entry, PRINT + 4) === print1 &&
    load<u32>(entry, PRINT + 8) === print2
  );
}

function entryAt(index: u32): usize {
  return entries + <usize>index * ENTRY_BYTES;
}

/**
 * Hashes the `bytes` bytes at `at` into the three words of the print. NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC), three
 * times with the key moved on by 16 bytes: two texts of one length have equal sums with a probability of at most 2^-32 each time.
 * Each sum is then brought to 32 bits by multilinear hashing, which doubles that. Bytes behind the text are cut off by masks.
 */
function print(at: usize, bytes: u32): void {
  if (at === printedAt && bytes === printedBytes) return;
  printedAt = at;
  printedBytes = bytes;
  if (bytes > MOST_NH) {
    const low = hash(at, bytes, 0);
    print0 = <u32>low;
    print1 = <u32>(low >> 32);
    print2 = <u32>hash(at, bytes, 0xee);
    return;
  }
  let sum0 = i64x2.splat(0);
  let sum1 = i64x2.splat(0);
  let sum2 = i64x2.splat(0);
  let key = keys;
  let from = at;
  const end = at + <usize>bytes;
  let k0 = v128.load(key);
  let k1 = v128.load(key, 16);
  while (from < end) {
    const k2 = v128.load(key, 32);
    const k3 = v128.load(key, 48);
    let a = v128.load(from);
    let b = v128.load(from, 16);
    if (end - from < 32) {
      const masks = keys + TAIL_MASKS + 32 - (end - from);
      a = v128.and(a, v128.load(masks));
      b = v128.and(b, v128.load(masks, 16));
    }
    sum0 = i64x2.add(sum0, products(i32x4.add(a, k0), i32x4.add(b, k1)));
    sum1 = i64x2.add(sum1, products(i32x4.add(a, k1), i32x4.add(b, k2)));
    sum2 = i64x2.add(sum2, products(i32x4.add(a, k2), i32x4.add(b, k3)));
    k0 = k2;
    k1 = k3;
    key += 32;
    from += 32;
  }
  const sums = keys + SUMS_KEY;
  print0 = folded(sum0, sums);
  print1 = folded(sum1, sums + 24);
  print2 = folded(sum2, sums + 48);
}

function products(a: v128, b: v128): v128 {
  return i64x2.add(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b));
}

function folded(sum: v128, key: usize): u32 {
  const whole = <u64>i64x2.extract_lane(sum, 0) + <u64>i64x2.extract_lane(sum, 1);
  const low = load<u64>(key) + (whole & 0xffffffff) * load<u64>(key, 8);
  return <u32>((low + (whole >>> 32) * load<u64>(key, 16)) >> 32);
}

/** SipHash-1-3 (Aumasson, Bernstein), 64 bits; `which` tells hashes of the same bytes apart. */
function hash(at: usize, bytes: u32, which: u64): u64 {
  let v0 = key0 ^ halves(0x736f6d65, 0x70736575);
  let v1 = key1 ^ which ^ halves(0x646f7261, 0x6e646f6d);
  let v2 = key0 ^ halves(0x6c796765, 0x6e657261);
  let v3 = key1 ^ halves(0x74656462, 0x79746573);
  const wholeEnd = at + <usize>(bytes & ~7);
  let tail = (<u64>bytes) << 56;
  for (let i: u32 = 0; i < (bytes & 7); i++) {
    tail |= (<u64>load<u8>(wholeEnd + <usize>i)) << ((<u64>i) << 3);
  }
  for (let word = at; word <= wholeEnd; word += 8) {
    const m = word < wholeEnd ? load<u64>(word) : tail;
    v3 ^= m;
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 ^= m;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 3; round++) {
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

function halves(upper: u32, lower: u32): u64 {
  return ((<u64>upper) << 32) | <u64>lower;
}
