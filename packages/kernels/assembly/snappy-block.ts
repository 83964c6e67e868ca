/** `src/snappy/snappy-decode.ts`, for the modules that open snappy blocks. */

/**
 * Opens the block of `bytes` bytes at `compressed`; returns its length at `decoded`, or −1 when it is malformed or longer than
 * `room`. Both regions have 32 spare bytes behind them, so that copies go by whole vectors.
 */
export function openBlock(compressed: usize, bytes: u32, decoded: usize, room: u32): i32 {
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
