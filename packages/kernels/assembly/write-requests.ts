/**
 * What a remote-write receiver does with every byte, on memory of its own: opens the snappy block, walks the messages, and
 * tells which of the series it has seen before. Faces and layout: `src/write-requests/`. It takes the form that senders
 * write and stops in front of anything else; the caller has a decoder for all forms.
 *
 * A series that is known is found without hashing: after each series stands the one that followed it last time, and
 * senders keep their order. Only where that guess is wrong its label bytes are hashed (SipHash-1-3 with a secret key).
 */

const NONE: u32 = 0xffffffff;
/** Offsets in an entry: place and length of the label bytes in the arena, reference, follower, hash. */
const START: usize = 0;
const LENGTH: usize = 4;
const REF: usize = 8;
const NEXT: usize = 12;
const HASH: usize = 16;
const ENTRY_BYTES: usize = 24;
const LEAST_SLOTS: u32 = 1024;

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
/** Words: upper half of a hash, entry + 1; 0 = free. Always twice as many as entries. */
let slots: usize = 0;
let arena: usize = 0;
let arenaBytes: u32 = 0;
let key0: u64 = 0;
let key1: u64 = 0;

let mask: u32 = LEAST_SLOTS - 1;
let count: u32 = 0;
let used: u32 = 0;
/** The entry found last. */
let last: u32 = NONE;
let walkedSeries: u32 = 0;
let walkedSamples: u32 = 0;

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

export function placeTable(
  entriesAt: usize,
  most: u32,
  slotsAt: usize,
  arenaAt: usize,
  bytes: u32,
): void {
  entries = entriesAt;
  mostEntries = most;
  slots = slotsAt;
  arena = arenaAt;
  arenaBytes = bytes;
}

export function seed(a: u32, b: u32, c: u32, d: u32): void {
  key0 = halves(a, b);
  key1 = halves(c, d);
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
  let at = compressed;
  const end = at + <usize>bytes;
  let length: u32 = 0;
  for (let shift: u32 = 0; ; shift += 7) {
    if (at === end || shift > 28) return -1;
    const byte = <u32>load<u8>(at++);
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (length > room) return -1;
  let to = decoded;
  const toEnd = to + <usize>length;
  while (at < end) {
    const tag = <u32>load<u8>(at++);
    let run: usize = <usize>(tag >> 2) + 1;
    let offset: usize;
    if ((tag & 3) === 0) {
      if (run > 60) {
        const width = <u32>run - 60;
        if (at + <usize>width > end) return -1;
        const more = load<u32>(at) & (0xffffffff >> (32 - 8 * width));
        if (more >= room) return -1;
        run = <usize>more + 1;
        at += <usize>width;
      }
      if (run > end - at || run > toEnd - to) return -1;
      copyVectors(to, at, run);
      at += run;
      to += run;
      continue;
    }
    if ((tag & 3) === 1) {
      run = <usize>((tag >> 2) & 7) + 4;
      offset = ((<usize>(tag >> 5)) << 8) | <usize>load<u8>(at);
      at += 1;
    } else if ((tag & 3) === 2) {
      offset = <usize>load<u16>(at);
      at += 2;
    } else {
      offset = <usize>load<u32>(at);
      at += 4;
    }
    if (at > end || offset === 0 || offset > to - decoded || run > toEnd - to) return -1;
    if (offset >= 16) copyVectors(to, to - offset, run);
    // The copy overlaps itself: what it has just written is its source.
    else for (let i: usize = 0; i < run; i++) store<u8>(to + i, load<u8>(to + i - offset));
    to += run;
  }
  return to === toEnd ? <i32>length : -1;
}

/** May write up to 15 bytes more than `bytes`. */
function copyVectors(to: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.load(from + i));
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
    const bytes = <usize>load<u32>(entry, LENGTH);
    const labelsEnd = start + bytes;
    if (
      bytes <= end - start &&
      isEqual(start, arena + <usize>load<u32>(entry, START), bytes) &&
      (labelsEnd === end || load<u8>(labelsEnd) !== 0x0a)
    ) {
      last = guess;
      foundRef = load<u32>(entry, REF);
      return labelsEnd;
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
  const found = find(start, <u32>(at - start), hash(start, <u32>(at - start)));
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
  const entry = find(at, bytes, hash(at, bytes));
  return entry === NONE ? 0 : load<u32>(entryAt(entry), REF);
}

/** Remembers or replaces a reference; 0 forgets it. Starts anew when the table or the arena is full. */
export function setRef(at: usize, bytes: u32, ref: u32): void {
  if (bytes > arenaBytes) return;
  const keyHash = hash(at, bytes);
  const known = find(at, bytes, keyHash);
  if (known !== NONE) {
    store<u32>(entryAt(known), ref, REF);
    return;
  }
  if (count === mostEntries || bytes > arenaBytes - used) clear();
  if ((count + 1) * 2 > mask + 1) enlarge();
  const entry = entryAt(count);
  store<u32>(entry, used, START);
  store<u32>(entry, bytes, LENGTH);
  store<u32>(entry, ref, REF);
  store<u32>(entry, NONE, NEXT);
  store<u64>(entry, keyHash, HASH);
  memory.copy(arena + <usize>used, at, <usize>bytes);
  used += bytes;
  occupy(keyHash, count++);
}

export function clear(): void {
  memory.fill(slots, 0, (<usize>mask + 1) << 3);
  count = 0;
  used = 0;
  last = NONE;
}

function enlarge(): void {
  mask = (mask << 1) | 1;
  memory.fill(slots, 0, (<usize>mask + 1) << 3);
  for (let index: u32 = 0; index < count; index++) {
    occupy(load<u64>(entryAt(index), HASH), index);
  }
}

function occupy(keyHash: u64, entry: u32): void {
  let slot = <u32>keyHash & mask;
  while (load<u32>(slots + ((<usize>slot) << 3), 4) !== 0) slot = (slot + 1) & mask;
  store<u32>(slots + ((<usize>slot) << 3), <u32>(keyHash >> 32));
  store<u32>(slots + ((<usize>slot) << 3), entry + 1, 4);
}

function find(at: usize, bytes: u32, keyHash: u64): u32 {
  const upper = <u32>(keyHash >> 32);
  let slot = <u32>keyHash & mask;
  while (true) {
    const place = slots + ((<usize>slot) << 3);
    const stored = load<u32>(place, 4);
    if (stored === 0) return NONE;
    if (load<u32>(place) === upper) {
      const entry = entryAt(stored - 1);
      const isSame =
        load<u32>(entry, LENGTH) === bytes &&
        isEqual(at, arena + <usize>load<u32>(entry, START), <usize>bytes);
      if (isSame) return stored - 1;
    }
    slot = (slot + 1) & mask;
  }
}

function entryAt(index: u32): usize {
  return entries + <usize>index * ENTRY_BYTES;
}

function isEqual(a: usize, b: usize, bytes: usize): bool {
  if (bytes < 16) {
    for (let i: usize = 0; i < bytes; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false;
    return true;
  }
  const tail = bytes - 16;
  for (let i: usize = 0; i < tail; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  return !v128.any_true(v128.xor(v128.load(a + tail), v128.load(b + tail)));
}

/** SipHash-1-3 (Aumasson, Bernstein), 64 bits. */
function hash(at: usize, bytes: u32): u64 {
  let v0 = key0 ^ halves(0x736f6d65, 0x70736575);
  let v1 = key1 ^ halves(0x646f7261, 0x6e646f6d);
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
