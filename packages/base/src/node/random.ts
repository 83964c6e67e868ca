import type { Random } from '../random.ts';

/** The machine's source of randomness; fit for secrets. Draws in blocks, since a system call per number is dear. */
export class NodeRandom implements Random {
  readonly #pool = new Uint32Array(1024);
  #used = 1024;

  next(): number {
    return (this.#word() * 2 ** 21 + (this.#word() >>> 11)) / 2 ** 53;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  fill(target: Uint8Array): void {
    randomFill(target);
  }

  #word(): number {
    if (this.#used === this.#pool.length) {
      randomFill(this.#pool);
      this.#used = 0;
    }
    return this.#pool[this.#used++]!;
  }
}

/** node:crypto is loaded at the first draw: a role that never draws saves its memory, and a draw cannot wait for an import. */
function randomFill(target: Uint8Array | Uint32Array): void {
  process.getBuiltinModule('node:crypto').randomFillSync(target);
}
