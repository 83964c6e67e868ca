import { ByteReader, crc32, OperatingError } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { formatAddress, formatIp, parseIp } from './ip.ts';
import { MAX_PACKET_INFLATED_BYTES } from './limits.ts';
import { compress, decompress } from './lzw.ts';
import { type AliveMessage, encodeMessage, type Message } from './messages.ts';
import { decodeFields } from './msgpack.ts';
import { decodePacket, deflate, encodePacket } from './packet.ts';
import { decodeFullState, decodePart, encodeFullState, encodePart } from './part.ts';
import { encodeStream, type PushPull, StreamDecoder, type StreamMessage } from './stream.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const REAL = '01M80Y0P880RAGB23FXWM01SV7';
const LOOPBACK = Uint8Array.from([127, 0, 0, 1]);
const VERSIONS = Uint8Array.from([1, 5, 2, 0, 0, 0]);

const JOIN = hex(
  '0982a4416c676f00a3427566da008c000d0c22a5e44d1a37c34a397943a6cc9c00acaacc2923670a9d3074ca3029e3c6c1215241c8909143ea0f00000156257133268c1c3718d3bc7113805493321741917212a64d195d306234c101230b0c2838884a097244888c1946b05c6912748a951ba4a0bc9143a7591c53a52c622c03609495396e4c052820e024000505140c7063860d5cb973d2b00908',
);
const JOIN_PLAIN = hex(
  '0683a44a6f696ec3a54e6f64657301ac5573657253746174654c656e0e87a441646472a47f000001ab496e6361726e6174696f6e01a44d657461a0a44e616d65ba30314d38305930503838305241474232334658574d3031535637a4506f7274cd71a6a5537461746500a356736ea60105020000000a050a036e666c0a050a0373696c',
);
const GOSSIP = hex(
  '0c614c71030982a4416c676f00a3427566da00af000f0c002005800f83040c910a42868c1c527f000008b02a899b3161e4b8094327cd1b370148352943270c28524ede9029a30b468c26386064810105474c29418e089131c308962b4d5c4eb1728314943772e8348b636a9495396e4c052820402280840b1b3e8c38b1e2c58c1b3b7e0c39b22430942acb98321264499116428c22551a079553a852a95ac5cad0214489142d62d4c8d123489124c39c4db9726ddbb741e4265d7aea6ed4a955250604',
);
const PING = hex(
  '0085a44e6f6465a646414b452d42a55365714e6f01aa536f7572636541646472a47f000001aa536f757263654e6f6465ba30314d38305930503838305241474232334658574d3031535637aa536f75726365506f7274cd71a6',
);
const USER = hex(
  '0cab0c2671080a0373696c1274730a690a2434383862383863302d393734652d346166322d396163632d30333435386464616339356512061201611a0162120a08031201631a03782e2a1a0c08c88e8ad8061092a2d9f602220608d8aa8ad8062a0c08c88e8ad8061092a2d9f60242026d654a05736d616c6c120608d8d9a4d806',
);

function alive(node: string, port: number): AliveMessage {
  return {
    kind: 'alive',
    node,
    port,
    incarnation: 1,
    address: LOOPBACK,
    meta: new Uint8Array(0),
    versions: VERSIONS,
  };
}

function decodeStream(data: Uint8Array, label: string | null = ''): StreamMessage | null {
  const decoder = new StreamDecoder(label);
  decoder.push(data);
  return decoder.next();
}

describe('LZW', () => {
  test.each([
    ['', '000302'],
    ['a', '00c30404'],
    ['aaaaaaaaaa', '00c3081c483020'],
    ['TOBEORNOTTOBEORTOBEORNOT', '00a93c1152e48914274fa80824687061c183090302'],
  ])('of %j is what Go writes', (text, expected) => {
    expect(toHex(compress(utf8(text)))).toBe(expected);
    expect(decompress(hex(expected), 100)).toEqual(utf8(text));
  });

  test('gives back what it was given, over several clears of its table', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 200 }),
        (part, n) => {
          const data = new Uint8Array(part.length * n);
          for (let i = 0; i < data.length; i++)
            data[i] = part[i % part.length]! ^ (i % 251 === 0 ? i : 0);
          expect(decompress(compress(data), data.length)).toEqual(data);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('stops inflating at its limit', () => {
    const bomb = compress(new Uint8Array(1_000_000));
    expect(() => decompress(bomb, 999_999)).toThrow(WireError);
    expect(decompress(bomb, 1_000_000).length).toBe(1_000_000);
  });

  test('of garbage is a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        try {
          decompress(data, 10_000);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});

describe('a captured packet of Alertmanager 0.25', () => {
  test('with CRC, compression and three alive messages is read', () => {
    const packet = decodePacket(GOSSIP, '');
    expect(packet.errors).toEqual([]);
    expect(packet.messages).toEqual([
      alive(REAL, 29094),
      alive('FAKE-B', 29096),
      alive('FAKE-A', 29095),
    ]);
  });

  test('that is a ping is read, and written byte for byte', () => {
    const ping: Message = {
      kind: 'ping',
      node: 'FAKE-B',
      sequence: 1,
      source: { address: LOOPBACK, port: 29094, name: REAL },
    };
    expect(decodePacket(PING, '').messages).toEqual([ping]);
    expect(toHex(encodeMessage(ping))).toBe(toHex(PING));
    expect(toHex(encodeMessage({ kind: 'ack', sequence: 1 }))).toBe(
      '0282a75061796c6f6164a0a55365714e6f01',
    );
  });

  test('with a silence is read, and written byte for byte', () => {
    const [message] = decodePacket(USER, '').messages;
    expect(message?.kind).toBe('user');
    const part = decodePart((message as { data: Uint8Array }).data);
    expect(part.key).toBe('sil');
    expect(part.data.length).toBe(0x74);
    const again = encodeMessage({ kind: 'user', data: encodePart(part) });
    expect(toHex(encodePacket([again], { withChecksum: true, label: '' }))).toBe(toHex(USER));
  });

  test('with a silence behind a ping is read in order', () => {
    const data = hex(
      '07020059007c0085a44e6f6465a646414b452d41a55365714e6f07aa536f7572636541646472a47f000001aa536f757263654e6f6465ba30314d38305930503838305241474232334658574d3031535637aa536f75726365506f7274cd71a6080a0373696c1274730a690a2434383862383863302d393734652d346166322d396163632d30333435386464616339356512061201611a0162120a08031201631a03782e2a1a0c08c88e8ad8061092a2d9f602220608d8aa8ad8062a0c08c88e8ad8061092a2d9f60242026d654a05736d616c6c120608d8d9a4d806',
    );
    expect(decodePacket(data, '').messages.map((message) => message.kind)).toEqual([
      'ping',
      'user',
    ]);
  });

  test.each([
    [
      'suspect',
      '0c1eaac0b10383a446726f6dba30314d38305930503838305241474232334658574d3031535637ab496e6361726e6174696f6e01a44e6f6465a646414b452d42',
    ],
    [
      'dead',
      '0cb273dad60583a446726f6dba30314d38305930503838305241474232334658574d3031535637ab496e6361726e6174696f6e01a44e6f6465a646414b452d42',
    ],
  ] as const)('that is %s is read, and written byte for byte', (kind, text) => {
    const message: Message = { kind, from: REAL, incarnation: 1, node: 'FAKE-B' };
    expect(decodePacket(hex(text), '').messages).toEqual([message]);
    const written = encodePacket([encodeMessage(message)], { withChecksum: true, label: '' });
    expect(toHex(written)).toBe(text);
  });

  test('that is a ping and a suspicion in one is written byte for byte', () => {
    const text =
      '0cc17b361207020059003b0085a44e6f6465a646414b452d42a55365714e6f13aa536f7572636541646472a47f000001aa536f757263654e6f6465ba30314d38305930503838305241474232334658574d3031535637aa536f75726365506f7274cd71a60383a446726f6dba30314d38305930503838305241474232334658574d3031535637ab496e6361726e6174696f6e01a44e6f6465a646414b452d42';
    const { messages } = decodePacket(hex(text), '');
    const plain = [messages[0]!, messages[1]!].map(encodeMessage);
    const body = new Uint8Array([7, 2, 0, 0x59, 0, 0x3b, ...plain[0]!, ...plain[1]!]);
    expect(toHex(body)).toBe(text.slice(10));
    expect(crc32(body)).toBe(0xc17b3612);
  });

  test('that asks for an indirect ping is written byte for byte', () => {
    const text =
      '0188a44e61636bc3a44e6f6465a646414b452d42a4506f7274cd71a8a55365714e6f13aa536f7572636541646472a47f000001aa536f757263654e6f6465ba30314d38305930503838305241474232334658574d3031535637aa536f75726365506f7274cd71a6a6546172676574a47f000001';
    const [message] = decodePacket(hex(text), '').messages;
    expect(message).toMatchObject({
      kind: 'indirectPing',
      wantsNack: true,
      port: 29096,
      sequence: 19,
    });
    expect(toHex(encodeMessage(message!))).toBe(text);
  });

  test('with one wrong bit is dropped', () => {
    const broken = GOSSIP.slice();
    broken[100]! ^= 4;
    const { messages, errors } = decodePacket(broken, '');
    expect(messages).toEqual([]);
    expect(errors).toMatchObject([{ code: 'GOSSIP.CHECKSUM' }]);
  });
});

describe('a captured stream of Alertmanager 0.25', () => {
  test('that joins is read, and written byte for byte', () => {
    const join: PushPull = {
      kind: 'pushPull',
      isJoin: true,
      nodes: [{ ...withoutKind(alive(REAL, 29094)), state: 'alive' }],
      userState: encodeFullState([
        { key: 'nfl', data: new Uint8Array(0) },
        { key: 'sil', data: new Uint8Array(0) },
      ]),
    };
    expect(decodeStream(JOIN)).toEqual(join);
    expect(decodeStream(JOIN_PLAIN)).toEqual(join);
    expect(toHex(encodeStream(join))).toBe(toHex(JOIN));
  });

  test('may come byte by byte', () => {
    for (const data of [JOIN, JOIN_PLAIN]) {
      const decoder = new StreamDecoder('');
      for (const [index, byte] of data.entries()) {
        decoder.push(Uint8Array.of(byte));
        if (index < data.length - 1) expect(decoder.next()).toBeNull();
      }
      expect(decoder.next()).toMatchObject({ kind: 'pushPull', isJoin: true });
    }
  });

  test('with signed integers, as newer members write them, is read', () => {
    const data = hex('0683a44a6f696ec2a54e6f64657300ac5573657253746174654c656ed100c8');
    const message = decodeStream(new Uint8Array([...data, ...new Uint8Array(200)]));
    expect(message).toMatchObject({ kind: 'pushPull', isJoin: false, nodes: [] });
    expect((message as PushPull).userState.length).toBe(200);
  });

  test('that is an error answer is read', () => {
    const error = { kind: 'error', text: 'codec.decoder: Only encoded map' } as const;
    expect(decodeStream(encodeStream(error), null)).toEqual(error);
  });

  test('with a large silence inside is read', () => {
    const part = encodePart({ key: 'sil', data: new Uint8Array(1100).fill(120) });
    expect(decodeStream(encodeStream({ kind: 'user', data: part }))).toEqual({
      kind: 'user',
      data: part,
    });
  });
});

describe('labels', () => {
  const ack = encodeMessage({ kind: 'ack', sequence: 9 });

  test('keep clusters apart', () => {
    const packet = encodePacket([ack], { withChecksum: true, label: 'blue' });
    expect(toHex(packet.subarray(0, 6))).toBe('f404626c7565');
    expect(decodePacket(packet, 'blue').messages).toEqual([{ kind: 'ack', sequence: 9 }]);
    for (const label of ['', 'red']) {
      expect(decodePacket(packet, label).errors).toMatchObject([{ code: 'GOSSIP.LABEL' }]);
    }
    expect(decodePacket(ack, 'blue').errors).toMatchObject([{ code: 'GOSSIP.LABEL' }]);
  });

  test('stand once before a stream', () => {
    const stream = encodeStream({ kind: 'ack', sequence: 1 }, 'blue');
    expect(decodeStream(stream, 'blue')).toEqual({ kind: 'ack', sequence: 1 });
    expect(() => decodeStream(stream, 'red')).toThrow(/unacceptable label "blue"/);
    expect(() => decodeStream(JOIN, 'blue')).toThrow(/without label/);
  });
});

describe('encoding and decoding', () => {
  const name = fc.string({ minLength: 1, maxLength: 40 });
  const uint32 = fc.nat({ max: 0xffff_ffff });
  const ip = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.constant(parseIp('2001:db8::1')!),
  );
  const port = fc.nat({ max: 0xffff });
  const source = fc.option(
    fc.record({ address: ip, port: fc.integer({ min: 1, max: 0xffff }), name }),
  );
  const message = fc.oneof(
    fc.record({ kind: fc.constant('ping' as const), sequence: uint32, node: name, source }),
    fc.record({
      kind: fc.constant('indirectPing' as const),
      sequence: uint32,
      node: name,
      target: ip,
      port,
      wantsNack: fc.boolean(),
      source,
    }),
    fc.record({ kind: fc.constantFrom('ack' as const, 'nack' as const), sequence: uint32 }),
    fc.record({
      kind: fc.constantFrom('suspect' as const, 'dead' as const),
      incarnation: uint32,
      node: name,
      from: name,
    }),
    fc.record({
      kind: fc.constant('alive' as const),
      incarnation: uint32,
      node: name,
      address: ip,
      port,
      meta: fc.uint8Array({ maxLength: 512 }),
      versions: fc.constant(VERSIONS),
    }),
    fc.record({ kind: fc.constant('user' as const), data: fc.uint8Array({ maxLength: 1000 }) }),
  );

  test('are inverse for packets', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.constantFrom('', 'x', 'cluster-é'),
        (messages, withChecksum, label) => {
          const packet = encodePacket(messages.map(encodeMessage), { withChecksum, label });
          expect(decodePacket(packet, label)).toEqual({ messages, errors: [] });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('are inverse for push/pulls cut anywhere', () => {
    const node = fc.record({
      node: name,
      address: ip,
      port,
      incarnation: uint32,
      meta: fc.uint8Array({ maxLength: 40 }),
      versions: fc.constant(VERSIONS),
      state: fc.constantFrom(
        'alive' as const,
        'suspect' as const,
        'dead' as const,
        'left' as const,
      ),
    });
    fc.assert(
      fc.property(
        fc.record({
          kind: fc.constant('pushPull' as const),
          isJoin: fc.boolean(),
          nodes: fc.array(node, { maxLength: 20 }),
          userState: fc.uint8Array({ maxLength: 3000 }),
        }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (exchange, share) => {
          const data = encodeStream(exchange);
          const cut = Math.floor(share * data.length);
          const decoder = new StreamDecoder('');
          decoder.push(data.subarray(0, cut));
          if (cut < data.length) expect(decoder.next()).toBeNull();
          decoder.push(data.subarray(cut));
          expect(decoder.next()).toEqual(exchange);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('are inverse for parts', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: name, data: fc.uint8Array() })), (parts) => {
        expect(decodeFullState(encodeFullState(parts))).toEqual(parts);
      }),
    );
  });

  test('keep the parts of a compound before one that is broken, and after', () => {
    const good = encodeMessage({ kind: 'ack', sequence: 1 });
    const bad = Uint8Array.of(99, 1, 2);
    const { messages, errors } = decodePacket(
      encodePacket([good, bad, good], { withChecksum: true, label: '' }),
      '',
    );
    expect(messages.length).toBe(2);
    expect(errors).toMatchObject([{ code: 'GOSSIP.UNSUPPORTED' }]);
  });

  test('skip what newer members add to a message', () => {
    const data = hex(
      '0284a7' +
        '5061796c6f6164c0a5' +
        '5365714e6f05a3' +
        '4e657794' +
        '01c3cb3ff0000000000000a0' +
        'a14d81a16101',
    );
    expect(decodePacket(data, '').messages).toEqual([{ kind: 'ack', sequence: 5 }]);
  });
});

describe('hostile bytes', () => {
  const seeds = [JOIN, JOIN_PLAIN, GOSSIP, PING, USER];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
      fc.nat(),
    )
    .map(([seed, changes, length]) => {
      const data = seed.slice(0, 1 + (length % seed.length));
      for (const [at, byte] of changes) data[at % data.length] = byte;
      return data;
    });
  const garbage = fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated);

  test('on the UDP port become typed errors beside the messages', () => {
    fc.assert(
      fc.property(garbage, (data) => {
        const { errors } = decodePacket(data, '');
        for (const error of errors) expect(error).toBeInstanceOf(WireError);
      }),
      { numRuns: 3_000 },
    );
  });

  test('on the TCP port become a typed error, a message or a wait for more', () => {
    fc.assert(
      fc.property(garbage, (data) => {
        try {
          decodeStream(data);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('in a state become a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
        for (const decode of [decodeFullState, decodePart]) {
          try {
            decode(data);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }
      }),
    );
  });

  test('that claim a huge length are refused before it is there', () => {
    const claims = [
      '0683a44a6f696ec3a54e6f646573ce7fffffff',
      '0881aa557365724d73674c656ece7fffffff',
      '0982a4416c676f00a3427566db7fffffff',
    ];
    for (const claim of claims) {
      const data = claim.startsWith('06') ? `${claim}ac5573657253746174654c656e00` : claim;
      expect(() => decodeStream(hex(data)), claim).toThrow(/limit/);
    }
  });

  test('that inflate without end are stopped, one by one and in sum', () => {
    const bomb = deflate(new Uint8Array(MAX_PACKET_INFLATED_BYTES + 1));
    expect(decodePacket(bomb, '').errors).toMatchObject([{ code: 'GOSSIP.TOO_LARGE' }]);
    const half = deflate(
      encodeMessage({ kind: 'user', data: new Uint8Array(MAX_PACKET_INFLATED_BYTES / 2) }),
    );
    const packet = decodePacket(
      encodePacket([half, half, half], { withChecksum: false, label: '' }),
      '',
    );
    expect(packet.messages.length).toBeLessThan(3);
    expect(packet.errors.length).toBeGreaterThan(0);
    let nested = encodeMessage({ kind: 'ack', sequence: 1 });
    for (let i = 0; i < 12; i++) nested = deflate(nested);
    expect(decodePacket(nested, '').errors).toMatchObject([{ code: 'GOSSIP.MALFORMED' }]);
  });

  test('of deep msgpack do not exhaust the stack', () => {
    const deep = new Uint8Array(100_000).fill(0x91);
    deep[0] = 0x81;
    expect(() => decodeFields(new ByteReader(deep), 100)).toThrow(OperatingError);
  });
});

describe('addresses', () => {
  test.each(['10.0.0.1', '::1', '2001:db8::2:1', 'fe80::', '::', '1:2:3:4:5:6:7:8'])(
    '%s survives',
    (text) => {
      expect(formatIp(parseIp(text)!)).toBe(text);
    },
  );

  test('of IPv4 mapped into IPv6 are the IPv4 address', () => {
    expect(parseIp('::ffff:10.0.0.1')).toEqual(Uint8Array.of(10, 0, 0, 1));
  });

  test.each([
    '',
    'host',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    'g::',
  ])('%j is none', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  test('of IPv6 are written in brackets', () => {
    expect(formatAddress('::1', 9094)).toBe('[::1]:9094');
  });
});

function withoutKind({ kind: _, ...rest }: AliveMessage): Omit<AliveMessage, 'kind'> {
  return rest;
}
