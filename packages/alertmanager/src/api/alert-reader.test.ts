import { VirtualClock } from '@pollux/base';
import { fingerprint, Labels } from '@pollux/model';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { AlertProvider } from '../alert/alert-provider.ts';
import { labelsHash } from '../alert/label-hash.ts';
import { NotifyEvents } from '../events/notify-events.ts';
import { type AlertDraft, AlertReader } from './alert-reader.ts';

let provider: AlertProvider;
let reader: AlertReader;

beforeEach(() => {
  provider = new AlertProvider({
    clock: new VirtualClock(0),
    perAlertnameLimit: 0,
    events: new NotifyEvents(),
    seed: 7,
  });
  reader = new AlertReader({ provider, isClassic: false });
});

/** Null when the body is left to the general way. */
function read(body: string): AlertDraft[] | null {
  const drafts: AlertDraft[] = [];
  const reading = reader.read(Buffer.from(body));
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value ? drafts : null;
    drafts.push(step.value);
  }
}

function keep(drafts: readonly AlertDraft[]): void {
  for (const { identity, annotations, generatorUrl, hash } of drafts) {
    provider.put(
      {
        identity,
        annotations,
        generatorUrl,
        startsAtMs: 1,
        endsAtMs: 2,
        updatedAtMs: 1,
        isTimeout: false,
      },
      hash,
    );
  }
}

const plain = (drafts: readonly AlertDraft[] | null): unknown =>
  drafts?.map(({ identity, annotations, ...rest }) => ({
    ...rest,
    labels: [...identity.labels],
    fingerprint: identity.fingerprint,
    annotations: [...annotations],
  }));

const plainTexts = fc.string({ unit: fc.constantFrom('a', 'b', '_', ' ', '!', '{', ',', '~') });
const oddTexts = fc.oneof(
  fc.constantFrom('alertname', 'critical', 'a"b', 'x\\y', '实例 1 宕机', '\u007f', '\u2028', '😀'),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const times = fc.option(fc.integer({ min: 1, max: 4_000_000_000_000 }));
const alertsOf = (texts: fc.Arbitrary<string>) => {
  const names = texts.filter((name) => name !== '');
  return fc.record({
    labels: fc.dictionary(
      names,
      texts.filter((value) => value !== ''),
      { minKeys: 1, maxKeys: 40 },
    ),
    annotations: fc.option(fc.dictionary(names, texts, { maxKeys: 5 })),
    startsAt: times,
    endsAt: times,
    generatorURL: fc.option(texts.map((text) => `http://p/${text}`)),
  });
};
const alerts = fc.oneof(alertsOf(plainTexts), alertsOf(oddTexts));

describe('the reader of alerts', () => {
  it('reads what JSON.parse reads, known or new, however it is spaced and ordered', () => {
    fc.assert(
      fc.property(fc.array(alerts, { maxLength: 4 }), fc.boolean(), (list, isReversed) => {
        const iso = (ms: number | null): string | undefined =>
          ms === null ? undefined : new Date(ms).toISOString();
        const sent = list.map(({ labels, annotations, startsAt, endsAt, generatorURL }) => ({
          labels,
          ...(annotations === null ? {} : { annotations }),
          startsAt: iso(startsAt),
          endsAt: iso(endsAt),
          ...(generatorURL === null ? {} : { generatorURL }),
        }));
        const reversed = sent.map((alert) => ({
          ...alert,
          labels: Object.fromEntries(Object.entries(alert.labels).reverse()),
        }));
        const expected = list.map((alert) => {
          const labels = Labels.from(alert.labels);
          const annotations = Labels.from(alert.annotations ?? {});
          const empty = Object.entries(alert.annotations ?? {}).filter(([, value]) => value === '');
          return {
            labels: [...labels],
            fingerprint: fingerprint(labels),
            annotations: [...annotations, ...empty],
            startsAtMs: alert.startsAt,
            endsAtMs: alert.endsAt,
            generatorUrl: alert.generatorURL ?? '',
            hash: labelsHash(labels, 7),
          };
        });
        const first = read(JSON.stringify(sent, null, isReversed ? 1 : 0));
        const sorted = (drafts: unknown): unknown =>
          (drafts as { annotations: string[][] }[]).map(({ annotations, ...rest }) => ({
            ...rest,
            annotations: [...annotations].sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
          }));
        expect(sorted(plain(first))).toEqual(sorted(expected));
        keep(first ?? []);
        const again = read(JSON.stringify(isReversed ? reversed : sent));
        expect(sorted(plain(again))).toEqual(sorted(expected));
      }),
    );
  });

  it('gives a known alert its own identity and annotations', () => {
    const body =
      '[{"labels":{"b":"é","a":"1"},"annotations":{"s":"\\u0026"},"startsAt":"2026-01-31T00:00:00Z"}]';
    const [first] = read(body) ?? [];
    keep(first === undefined ? [] : [first]);
    const [again] = read('[{"annotations":{"s":"&"},"labels":{"a":"1","b":"\\u00e9"}}]') ?? [];
    expect(again?.identity).toBe(first?.identity);
    expect(again?.annotations).toBe(first?.annotations);
    expect(first?.startsAtMs).toBe(Date.parse('2026-01-31T00:00:00Z'));
  });

  it('tells two label sets of one hash apart', () => {
    const [a] = read('[{"labels":{"a":"1"}}]') ?? [];
    keep(a === undefined ? [] : [{ ...a, hash: labelsHash(Labels.from({ b: '2' }), 7) }]);
    const [b] = read('[{"labels":{"b":"2"}}]') ?? [];
    expect(plain(b === undefined ? null : [b])).toMatchObject([{ labels: [['b', '2']] }]);
    keep(b === undefined ? [] : [b]);
    expect(provider.size).toBe(2);
    expect(provider.collect()).toBe(0);
  });

  it.each([
    '',
    '[',
    '[{}]',
    '{}',
    '[{"labels":{}}]',
    '[{"labels":{"a":""}}]',
    '[{"labels":{"":"a"}}]',
    '[{"labels":{"a":"b"},"labels":{"a":"c"}}]',
    '[{"labels":{"a":"b","a":"c"}}]',
    '[{"labels":{"a":"b",}}]',
    '[{"labels":{"a":1}}]',
    '[{"labels":null}]',
    '[{"labels":{"a":"b"},"more":1}]',
    '[{"labels":{"a":"b"},"generatorURL":"::x"}]',
    '[{"labels":{"a":"b"}},]',
    '[{"labels":{"a":"b"}}] x',
    '[{"labels":{"a":"b\\q"}}]',
    '[{"labels":{"a":"b\n"}}]',
    '[{"labels":{"a":"b"},"startsAt":"yesterday"}]',
    '[{"labels":{"a":"b"},"startsAt":"0001-01-01T00:00:00Z"}]',
    '[{"labels":{"a":"b"},"startsAt":"2026-02-30T00:00:00.Z"}]',
    '\ufeff[]',
  ])('leaves %s to the general way', (body) => {
    expect(read(body)).toBeNull();
  });

  it('leaves names that are not classic to the general way, where these are asked for', () => {
    reader = new AlertReader({ provider, isClassic: true });
    expect(read('[{"labels":{"a":"b c"},"annotations":{"s":"x y"}}]')).toHaveLength(1);
    expect(read('[{"labels":{"a b":"c"}}]')).toBeNull();
    expect(read('[{"labels":{"a":"b"},"annotations":{"s t":"x"}}]')).toBeNull();
    expect(read('[{"labels":{"é":"c"}}]')).toBeNull();
  });

  it('reads times as they are otherwise read', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(1), max: new Date('2400-01-01'), noInvalidDate: true }),
        fc.constantFrom('Z', '123456Z', '+08:00'),
        (date, end) => {
          const text = date.toISOString().replace('Z', end);
          const [draft] = read(`[{"labels":{"a":"b"},"startsAt":"${text}"}]`) ?? [];
          const ms = Date.parse(text.replace('123456Z', 'Z'));
          if (ms > 0) expect(draft?.startsAtMs).toBe(ms);
          else expect(draft).toBeUndefined();
        },
      ),
    );
  });
});
