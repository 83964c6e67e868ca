/** Randomness as the program sees it; seeded in tests and in the simulator. */
export interface Random {
  /** A double in [0, 1). */
  next(): number;
  /** An integer in [0, bound), bound ≤ 2^32. */
  below(bound: number): number;
  /** Fills `target` with random bytes. Only the machine's own adapter is fit for secrets. */
  fill(target: Uint8Array): void;
}

/** A repeatable generator (xoshiro128**; Blackman and Vigna). Not for secrets. */
export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    // SplitMix32 spreads a small seed over the whole state.
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let t = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      t = Math.imul(t ^ (t >>> 13), 0xc2b2ae35);
      this.#state[i] = t ^ (t >>> 16);
    }
  }

  next(): number {
    return (this.#word() * 2 ** 21 + (this.#word() >>> 11)) / 2 ** 53;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.#word() & 0xff;
  }

  #word(): number {
    const s = this.#state;
    const a = s[0]!;
    const b = s[1]!;
    const c = s[2]! ^ a;
    const d = s[3]! ^ b;
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    s[0] = a ^ d;
    s[1] = b ^ c;
    s[2] = c ^ (b << 9);
    s[3] = (d << 11) | (d >>> 21);
    return result;
  }
}

const HEX = '0123456789abcdef';

/** `byteCount` random bytes as lower-case hex. */
export function randomHex(random: Random, byteCount: number): string {
  const bytes = new Uint8Array(byteCount);
  random.fill(bytes);
  let text = '';
  for (const byte of bytes) text += HEX[byte >> 4]! + HEX[byte & 15]!;
  return text;
}

/** A version 4 UUID (RFC 9562), lower-case. */
export function uuid(random: Random): string {
  const bytes = new Uint8Array(16);
  random.fill(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += HEX[bytes[i]! >> 4]! + HEX[bytes[i]! & 15]!;
  }
  return text;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID: 48 bits of milliseconds, 80 random bits, 26 characters. Names blocks and cluster members as the peers do. */
export function ulid(nowMs: number, random: Random): string {
  let time = '';
  let rest = nowMs;
  for (let i = 0; i < 10; i++) {
    time = CROCKFORD[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let i = 0; i < 16; i++) tail += CROCKFORD[random.below(32)]!;
  return time + tail;
}
