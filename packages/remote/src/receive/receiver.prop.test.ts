import { errorText, SeededRandom } from '@pollux/base';
import { Labels } from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLabels, snappyEncode } from '../index.ts';
import { createKernel, Receiver } from './receiver.ts';

const isBuilt = createKernel(new SeededRandom(1)) !== null;

/** Writes down all that is committed, in its order; knows each series by one reference, some of which it forgets. */
class Record implements Appendable {
  readonly lines: string[] = [];
  readonly #known = new Map<string, number>();
  #next = 1;

  forget(every: number): void {
    for (const [key, ref] of this.#known) if (ref % every === 0) this.#known.delete(key);
  }

  appender(): Appender {
    const staged: string[] = [];
    const nameOf = (ref: number): string | undefined =>
      [...this.#known].find(([, known]) => known === ref)?.[0];
    return {
      series: (labels) => {
        const key = labels.toString();
        const ref = this.#known.get(key) ?? this.#next++;
        this.#known.set(key, ref);
        return ref;
      },
      appendFloats: (refs, timestampsMs, values, _starts, count, outcomes) => {
        const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
        let taken = 0;
        for (let i = 0; i < count; i++) {
          const name = nameOf(refs[i]!);
          outcomes[i] = name === undefined ? APPEND_OUTCOME.unknownRef : APPEND_OUTCOME.ok;
          // Refused, so that errors name their series.
          if (timestampsMs[i] === 13) outcomes[i] = APPEND_OUTCOME.outOfOrder;
          if (outcomes[i] !== APPEND_OUTCOME.ok) continue;
          staged.push(`${name} ${timestampsMs[i]} ${bits[i]}`);
          taken++;
        }
        return taken;
      },
      appendHistogram: (ref, timestampMs, histogram) => {
        if (nameOf(ref) === undefined) return APPEND_OUTCOME.unknownRef;
        staged.push(`${nameOf(ref)} ${timestampMs} ${histogram.count}`);
        return APPEND_OUTCOME.ok;
      },
      appendExemplar: (ref, { value }) => {
        staged.push(`${nameOf(ref)} exemplar ${value}`);
      },
      setMetadata: () => {},
      commit: async () => {
        this.lines.push(...staged, 'commit');
      },
      rollback: () => {},
    };
  }
}

/** A varint, with `padding` more bytes than it needs. */
function varint(value: bigint, padding = 0): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  } while (rest > 0n);
  for (let i = 0; i < padding && bytes.length < 8; i++) bytes.push(0x80);
  bytes[bytes.length - 1]! &= 0x7f;
  return bytes;
}

function field(number: number, body: readonly number[], padding = 0): number[] {
  return [
    ...varint(BigInt(number * 8 + 2), padding),
    ...varint(BigInt(body.length), padding),
    ...body,
  ];
}

/** Mostly none: what senders write. */
const paddings = fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, fc.nat(3));
/** A field of a number that the messages do not have, or bytes that are none. */
const strangers = fc.constantFrom([0x78, 5], field(15, [1, 2, 3]), [0x0f], [0xfa, 0x01, 0x01]);

const texts = fc.oneof(
  fc.constantFrom('', 'a', 'job', 'ünïcode.名', '\u{1f600}', 'x'.repeat(200), 'y'.repeat(17_000)),
  fc.string({ maxLength: 20 }),
);
const label = fc
  .tuple(fc.constantFrom('__name__', 'job', 'a', '', 'ünï', 'zz'), texts, paddings, fc.nat(40))
  .map(([name, value, padding, odd]) => {
    const utf8 = [...Buffer.from(value)];
    // Once in a while not text, or its parts the other way round.
    if (odd === 0) utf8.push(0xff);
    const parts = [field(1, [...Buffer.from(name)], padding), field(2, utf8)];
    return field(1, (odd === 1 ? parts.reverse() : parts).flat(), padding);
  });

const timestamps = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }) },
  fc.constantFrom(0, 1, 13, -1, 2 ** 48, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 2, 2 ** 53, 2 ** 60),
);
const values = fc.oneof(
  fc.double(),
  // A stale marker, and a NaN with another payload.
  fc.constantFrom('020000000000f07f', '2a0000000000f87f'),
);
const sample = fc.tuple(timestamps, values, paddings, fc.nat(60), strangers).map((parts) => {
  const [timestampMs, value, padding, odd, stranger] = parts;
  const bits = Buffer.alloc(8);
  if (typeof value === 'number') bits.writeDoubleLE(value);
  else Buffer.from(value, 'hex').copy(bits);
  const time = [0x10, ...varint(BigInt(timestampMs), padding)];
  const body = [timestampMs === 0 ? [] : time];
  if (bits.some((byte) => byte !== 0)) body.unshift([0x09, ...bits]);
  if (odd === 0) body.reverse();
  if (odd === 1) body.push(stranger);
  if (odd === 2) body.push(time);
  // A sample within the sample: the field has another type there.
  if (odd === 3) body.push(field(2, time));
  return field(2, body.flat(), padding);
});

const exemplar = fc
  .double({ noNaN: true })
  .map((value) => field(3, [0x11, ...Buffer.from(Float64Array.of(value).buffer)]));
/** Without buckets: count 3, at 5 ms. */
const histogram = fc.constant(field(4, [0x08, 3, 0x78, 5]));

/** The sets that a sender has; requests draw from them, so that series come back, in the same order or another. */
const SETS = Array.from({ length: 12 }, (_, i) => [
  ...encodeLabels(
    Labels.from({ __name__: `m${i % 5}`, host: `host-${i}`, job: 'x'.repeat(i * 3) }),
  ),
]);

const labelRuns = fc.oneof(
  { weight: 8, arbitrary: fc.nat(SETS.length - 1).map((i) => SETS[i]!) },
  fc.array(label, { maxLength: 4 }).map((labels) => labels.flat()),
);
const series = fc
  .tuple(
    labelRuns,
    fc.array(sample, { maxLength: 4 }),
    fc.array(fc.oneof(exemplar, histogram, label, strangers), { maxLength: 2 }),
    fc.nat(15),
    paddings,
  )
  .map(([labels, samples, others, odd, padding]) => {
    const parts = [labels, ...samples];
    if (odd === 0) parts.reverse();
    if (odd === 1) parts.push(...others);
    if (odd === 2) parts.splice(1, 0, ...others);
    return field(1, parts.flat(), padding);
  });
const metadata = fc.constant(field(3, [0x08, 1, ...field(2, [...Buffer.from('m1')])]));
const requests = fc
  .tuple(
    fc.array(fc.oneof({ weight: 20, arbitrary: series }, metadata, strangers), { maxLength: 12 }),
    fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 6 }),
    fc.option(fc.nat(), { freq: 10 }),
    fc.boolean(),
  )
  .map(([fields, flip, cut, isOfBlock]) => {
    const damage = (bytes: Uint8Array): Uint8Array => {
      const damaged = Uint8Array.from(bytes);
      if (flip !== null) damaged[flip[0] % Math.max(1, bytes.length)] = flip[1];
      return cut === null ? damaged : damaged.subarray(0, cut % (bytes.length + 1));
    };
    const message = Uint8Array.from(fields.flat());
    return isOfBlock ? damage(snappyEncode(message)) : snappyEncode(damage(message));
  });

async function outcomeOf(receiver: Receiver, body: Uint8Array): Promise<unknown> {
  try {
    return await receiver.receive(body);
  } catch (error) {
    return `${(error as Error).name}: ${errorText(error)}`;
  }
}

describe('a receiver with the kernel', () => {
  it.skipIf(!isBuilt)(
    `stores what the plain decoder stores, request after request, and refuses what it refuses${isBuilt ? '' : ' (skipped: the kernel is not built; npm run build)'}`,
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(requests, { minLength: 1, maxLength: 6 }),
          fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
          async (bodies, repeats) => {
            const [fast, plain] = [new Record(), new Record()];
            const random = new SeededRandom(9);
            const receivers = [new Receiver(fast, random), new Receiver(plain, random, null)];
            // Each comes again, in turns, as a sender's requests of the same series do.
            const order = [...bodies, ...repeats.map((i) => bodies[i % bodies.length]!)];
            for (const [turn, body] of order.entries()) {
              const [one, other] = await Promise.all(
                receivers.map((receiver) => outcomeOf(receiver, body)),
              );
              expect(one).toEqual(other);
              if (turn % 5 !== 4) continue;
              fast.forget(2);
              plain.forget(2);
            }
            expect(fast.lines).toEqual(plain.lines);
          },
        ),
        { numRuns: 60 },
      );
    },
    60_000,
  );

  it.skipIf(!isBuilt)(
    'stores requests of more series and samples than the kernel takes at once',
    async () => {
      const [fast, plain] = [new Record(), new Record()];
      const random = new SeededRandom(9);
      const at = (time: number): number[] => field(2, [0x10, ...varint(BigInt(time))]);
      const many = Array.from({ length: 9_000 }, (_, i) => at(i + 100)).flat();
      const message = [
        ...field(1, [...SETS[0]!, ...many]),
        ...Array.from({ length: 20_000 }, (_, i) =>
          field(1, [...SETS[i % 3]!, ...at(20_000 + i)]),
        ).flat(),
      ];
      const body = snappyEncode(Uint8Array.from(message));
      for (const receiver of [new Receiver(fast, random), new Receiver(plain, random, null)]) {
        for (let turn = 0; turn < 2; turn++) {
          expect(await receiver.receive(body)).toMatchObject({ samples: 29_000 });
        }
      }
      expect(fast.lines).toEqual(plain.lines);
    },
  );
});
