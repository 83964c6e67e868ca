import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BenchMember, ip } from '../testing/bench-member.ts';
import { decodePacket, encodePacket } from '../wire/packet.ts';
import { pushedNodes } from './membership.ts';
import type { SwimAction } from './protocol.ts';
import { self } from './state.ts';
import { nextDueMs, step } from './step.ts';

/** Steps all members over one list of packets in flight; push/pulls and TCP pings arrive unless the target is down. */
class Wire {
  readonly random: SeededRandom;
  readonly benches: BenchMember[];
  readonly down = new Set<number>();
  readonly loss: number;
  #flight: { atMs: number; to: number; from: number; messages: readonly Uint8Array[] }[] = [];

  constructor(seed: number, count: number, loss: number) {
    this.random = new SeededRandom(seed);
    this.loss = loss;
    this.benches = Array.from({ length: count }, (_, i) => new BenchMember(`m${i + 1}`, i + 1));
  }

  run(fromMs: number, untilMs: number): void {
    for (let ms = fromMs; ms <= untilMs; ms += 10) {
      const arrived = this.#flight.filter((packet) => packet.atMs <= ms);
      this.#flight = this.#flight.filter((packet) => packet.atMs > ms);
      for (const packet of arrived) this.#arrive(packet, ms);
      for (const bench of this.benches) {
        if (this.down.has(self(bench.state).port)) continue;
        bench.nowMs = ms;
        if (nextDueMs(bench.state) <= ms) this.#act(bench, step(bench.state, { kind: 'tick' }, ms));
      }
    }
  }

  exchange(a: BenchMember, b: BenchMember): void {
    const [fromA, fromB] = [pushedNodes(a.state), pushedNodes(b.state)];
    this.#act(b, step(b.state, { kind: 'merge', nodes: fromA }, a.nowMs));
    this.#act(a, step(a.state, { kind: 'merge', nodes: fromB }, a.nowMs));
  }

  #arrive(packet: { to: number; from: number; messages: readonly Uint8Array[] }, ms: number): void {
    const bench = this.benches[packet.to - 1];
    if (bench === undefined || this.down.has(packet.to)) return;
    const from = { address: ip(packet.from), port: packet.from };
    const data = encodePacket(packet.messages, { withChecksum: true, label: '' });
    for (const message of decodePacket(data, '').messages) {
      this.#act(bench, step(bench.state, { kind: 'message', message, from }, ms));
    }
  }

  #act(bench: BenchMember, actions: readonly SwimAction[]): void {
    for (const action of actions) {
      if (action.kind === 'packet' && this.random.next() >= this.loss) {
        const atMs = bench.nowMs + 10 + this.random.below(90);
        const from = self(bench.state).port;
        this.#flight.push({ atMs, to: action.to.port, from, messages: action.messages });
      }
      const to = 'to' in action ? action.to.port : 0;
      const other = this.benches[to - 1];
      if (other === undefined || this.down.has(to)) continue;
      if (action.kind === 'pushPull') this.exchange(bench, other);
      if (action.kind === 'tcpPing') {
        step(bench.state, { kind: 'tcpPong', sequence: action.sequence }, bench.nowMs);
      }
    }
  }

  /** Who is alive or suspected, as each running member sees it. */
  views(): string[][] {
    return this.benches
      .filter((bench) => !this.down.has(self(bench.state).port))
      .map(({ state }) =>
        [...state.members.values()]
          .filter((member) => member.state === 'alive' || member.state === 'suspect')
          .map((member) => member.name)
          .sort(),
      );
  }
}

test('members on a lossy wire agree who is there, after joining through one and after losing some', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 2, max: 12 }),
      fc.double({ min: 0, max: 0.3, noNaN: true }),
      (seed, count, loss) => {
        const wire = new Wire(seed, count, loss);
        const [first, ...others] = wire.benches;
        for (const bench of others) wire.exchange(bench, first!);
        wire.run(0, 70_000);
        const all = wire.benches.map(({ state }) => state.name).sort();
        for (const view of wire.views()) expect(view).toEqual(all);
        const lost = wire.benches.slice(0, Math.floor(count / 3)).map(({ state }) => state);
        for (const state of lost) wire.down.add(self(state).port);
        const rest = all.filter((name) => !lost.some((state) => state.name === name));
        wire.run(70_010, 200_000);
        for (const view of wire.views()) expect(view).toEqual(rest);
      },
    ),
    { numRuns: 12 },
  );
});
