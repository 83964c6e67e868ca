import { existsSync, readFileSync } from 'node:fs';
import { DecodeError, SeededRandom, VirtualClock } from '@pollux/base';
import { fingerprint, Labels } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertHash } from '../alert/hash.ts';
import { NotifyEvents } from '../events/notify-events.ts';
import { decodeLog, encodeLog, logRecord } from '../nflog/codec.ts';
import { NotificationLog } from '../nflog/notification-log.ts';
import { decodeSilences, encodeSilences, silenceRecord } from '../silence/codec.ts';
import { SilenceStore } from '../silence/silence-store.ts';
import { delimited, MessageWriter } from './protobuf.ts';
import { after, compareTimes, fromMs, toMs } from './timestamp.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const text = (data: Uint8Array): string => Buffer.from(data).toString('hex');

const conformance =
  process.env.POLLUX_CONFORMANCE ??
  new URL('../../../../../shared/conformance', import.meta.url).pathname;
const REAL = `${conformance}/real/alertmanager-0.25`;
const hasReal = existsSync(`${REAL}/silences`);
const why = hasReal ? '' : ' (skipped: no conformance data)';

/** Data of the "nfl" Part that a real 0.25 sent after a webhook notification. */
const REAL_ENTRY =
  '4d0a3d0a137b7d3a7b616c6572746e616d653d225431227d120c0a01771207776562686f6f6b2a0c08cc8e8ad80610c4bfc4fc02320adec1fba59d94a4a8c101120c08ecc68ad80610c4bfc4fc02';
/** Data of a "sil" Part of a real 0.25. */
const REAL_SILENCE =
  '730a690a2434383862383863302d393734652d346166322d396163632d30333435386464616339356512061201611a0162120a08031201631a03782e2a1a0c08c88e8ad8061092a2d9f602220608d8aa8ad8062a0c08c88e8ad8061092a2d9f60242026d654a05736d616c6c120608d8d9a4d806';

describe('hashes of alerts', () => {
  it('agree with the real ones', () => {
    const labels = Labels.from({ alertname: 'T1', x: '1' });
    expect(alertHash(labels)).toBe(13929792672190357726n);
    expect(fingerprint(labels)).toBe('7f852445bf49c8ac');
  });
});

describe('the notification log on the wire', () => {
  it('reads and writes what a real Alertmanager sent', () => {
    const [record] = decodeLog(bytes(REAL_ENTRY));
    expect(record?.entry).toMatchObject({
      groupKey: '{}:{alertname="T1"}',
      receiver: { groupName: 'w', integration: 'webhook', index: 0 },
      firing: [13929792672190357726n],
      resolved: [],
    });
    expect(toMs(record!.expiresAt) - toMs(record!.entry.timestamp)).toBe(7_200_000);
    expect(text(logRecord(record!.entry, record!.expiresAt).bytes)).toBe(REAL_ENTRY);
  });

  it('keeps fields it does not know', () => {
    // Field 8, data of receivers, as members from 0.31 on write it.
    const entry = new MessageWriter()
      .text(1, '{}:{}')
      .message(2, new MessageWriter().text(1, 'r').text(2, 'slack').take())
      .time(5, fromMs(1000))
      .message(8, bytes('0a0161'))
      .take();
    const data = delimited(new MessageWriter().message(1, entry).time(2, fromMs(9_000)).take());
    expect(text(encodeLog(decodeLog(data)))).toBe(text(data));
  });

  it('refuses an entry without receiver, and with it the whole part', () => {
    const broken = delimited(
      new MessageWriter().message(1, new MessageWriter().text(1, 'k').take()).take(),
    );
    const log = new NotificationLog({
      clock: new VirtualClock(0),
      retentionMs: 1e9,
      registry: new Registry(),
    });
    expect(() => log.merge(Buffer.concat([bytes(REAL_ENTRY), broken]))).toThrow(DecodeError);
    expect(log.size).toBe(0);
  });
});

describe('silences on the wire', () => {
  it('reads what a real Alertmanager sent and relays it untouched', () => {
    const [record] = decodeSilences(bytes(REAL_SILENCE));
    expect(record?.silence).toMatchObject({
      id: '488b88c0-974e-4af2-9acc-03458ddac95e',
      matchers: [
        { name: 'a', operator: '=', pattern: 'b' },
        { name: 'c', operator: '!~', pattern: 'x.*' },
      ],
      createdBy: 'me',
      comment: 'small',
      isApplicable: true,
    });
    expect(text(encodeSilences([record!]))).toBe(REAL_SILENCE);
  });

  it('writes the matchers for old and for new members', () => {
    const [record] = decodeSilences(bytes(REAL_SILENCE));
    const own = silenceRecord(record!.silence, record!.expiresAt);
    const hex = text(own.bytes);
    const matcher = '1201611a0162';
    // Field 2 (tag 12), and field 1 (tag 0a) inside of field 11.
    expect(hex).toContain(`1206${matcher}`);
    expect(hex).toContain(`5a140a06${matcher}`);
    expect(decodeSilences(own.bytes)[0]?.silence).toEqual(record!.silence);
  });

  it('adds the old field to silences that came without it, so that nobody silences everything', () => {
    const matcher = new MessageWriter().text(2, 'a').text(3, 'b').take();
    const silence = new MessageWriter()
      .text(1, 'id')
      .time(3, fromMs(1))
      .time(4, fromMs(9_000))
      .time(5, fromMs(1))
      .message(11, new MessageWriter().message(1, matcher).take())
      .take();
    const data = delimited(new MessageWriter().message(1, silence).time(2, fromMs(99_000)).take());
    const [record] = decodeSilences(data);
    expect(record?.silence.matchers).toEqual([{ name: 'a', operator: '=', pattern: 'b' }]);
    expect(text(record!.bytes)).toContain('12061201611a0162');
  });

  it('keeps but never applies what it cannot: no matcher, several sets, a pattern that is no RE2', () => {
    const clock = new VirtualClock(5_000);
    const store = new SilenceStore({
      registry: new Registry(),
      env: { clock, random: new SeededRandom(1) },
      retentionMs: 1e6,
      maxSilences: 0,
      maxSilenceBytes: 0,
      events: new NotifyEvents(),
    });
    const matcher = (pattern: string): Uint8Array =>
      new MessageWriter().integer(1, 1).text(2, 'a').text(3, pattern).take();
    const set = new MessageWriter().message(1, matcher('b')).take();
    const bodies: ((writer: MessageWriter) => MessageWriter)[] = [
      (writer) => writer,
      (writer) => writer.message(2, matcher('b')).message(11, set).message(11, set),
      (writer) => writer.message(2, matcher('(?=b)')),
      (writer) => writer.message(2, matcher('b')).message(12, set),
    ];
    for (const [index, body] of bodies.entries()) {
      const head = body(new MessageWriter().text(1, `id${index}`));
      const silence = head.time(3, fromMs(1)).time(4, fromMs(90_000)).time(5, fromMs(2)).take();
      store.merge(
        delimited(new MessageWriter().message(1, silence).time(2, fromMs(99_000)).take()),
      );
    }
    expect(store.size).toBe(4);
    expect(store.silencedBy(Labels.from({ a: 'b' }))).toEqual([]);
    expect(decodeSilences(store.marshal())).toHaveLength(4);
  });
});

describe.skipIf(!hasReal)(`snapshot files of a real Alertmanager 0.25${why}`, () => {
  it('are read and written back byte for byte', () => {
    const silences = new Uint8Array(readFileSync(`${REAL}/silences`));
    const log = new Uint8Array(readFileSync(`${REAL}/nflog`));
    const decodedSilences = decodeSilences(silences);
    const decodedLog = decodeLog(log);
    expect(decodedSilences.map(({ silence }) => silence.comment)).toEqual([
      'fixture: regex and negative',
      'fixture: equal',
    ]);
    expect(text(encodeSilences(decodedSilences))).toBe(text(silences));
    // Our own encoder, not only the kept bytes, writes an entry as the original did.
    const own = decodedLog.map(({ entry, expiresAt }) => logRecord(entry, expiresAt));
    expect(text(encodeLog(own))).toBe(text(log));
  });

  it('pass through the stores unchanged', () => {
    const silences = new Uint8Array(readFileSync(`${REAL}/silences`));
    const [first] = decodeSilences(silences);
    const clock = new VirtualClock(toMs(first!.silence.startsAt) + 1_000);
    const store = new SilenceStore({
      registry: new Registry(),
      env: { clock, random: new SeededRandom(1) },
      retentionMs: 432e6,
      maxSilences: 0,
      maxSilenceBytes: 0,
      events: new NotifyEvents(),
    });
    store.load(silences);
    expect(text(store.marshal())).toBe(text(silences));
    expect(store.silencedBy(Labels.from({ instance: 'b' }))).toHaveLength(1);
    expect(store.silencedBy(Labels.from({ alertname: 'DiskFull', team: 'web' }))).toHaveLength(1);
    expect(store.silencedBy(Labels.from({ alertname: 'DiskFull', team: 'db' }))).toHaveLength(0);
  });
});

describe('garbage', () => {
  it('of any kind is a DecodeError and changes nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        for (const decode of [decodeSilences, decodeLog]) {
          try {
            decode(data);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('made of a real message by one changed byte never throws anything else', () => {
    const real = bytes(REAL_SILENCE);
    for (let at = 0; at < real.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const data = real.slice();
        data[at] = data[at]! ^ flip;
        try {
          decodeSilences(data);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
    }
  });
});

describe('times', () => {
  it('of a notification are later than those of a member whose clock is ahead, which takes it over', () => {
    const receiver = { groupName: 'r', integration: 'webhook', index: 0 };
    const entry = { groupKey: '{}:{}', receiver, resolved: [], memory: new Map() };
    const ahead = new NotificationLog({
      clock: new VirtualClock(9_000_000),
      retentionMs: 9e9,
      registry: new Registry(),
    });
    const right = new NotificationLog({
      clock: new VirtualClock(1_000_000),
      retentionMs: 9e9,
      registry: new Registry(),
    });
    ahead.write({ ...entry, firing: [1n] }, 9e6);
    right.merge(ahead.marshal());
    right.write({ ...entry, firing: [1n, 2n] }, 9e6);
    ahead.merge(right.marshal());
    expect(ahead.find(['{}:{}'], receiver)?.firing).toEqual([1n, 2n]);
  });

  it('are later than the version before, even within one nanosecond', () => {
    const same = fromMs(1_700_000_000_123);
    expect(compareTimes(after(same, same), same)).toBeGreaterThan(0);
    expect(after({ seconds: 1, nanos: 999_999_999 }, fromMs(0))).toEqual({ seconds: 2, nanos: 0 });
    expect(toMs(same)).toBe(1_700_000_000_123);
  });
});
