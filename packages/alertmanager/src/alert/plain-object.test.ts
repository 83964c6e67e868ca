import { ByteReader, ByteWriter } from '@pollux/base';
import { compareText, fingerprint, Labels } from '@pollux/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { goJsonText } from '../wire/go-json.ts';
import { type Alert, AlertIdentity } from './alert.ts';
import { readAlert, writeAlert } from './alert-codec.ts';
import { Annotations } from './annotations.ts';
import { NOT_PLAIN, textIn } from './plain-object.ts';

const plain = fc.string({
  unit: fc.constantFrom('a', 'B', '7', '_', ' ', '!', ':', ',', '{', '}', "'", '~', '\u007f'),
  maxLength: 20,
});
const long = fc.integer({ min: 100, max: 2_500 }).map((length) => 'x'.repeat(length));
const odd = fc.oneof(fc.constantFrom('"', '\\', '<', '&', 'é', '\n'), fc.string());
const maps = (texts: fc.Arbitrary<string>): fc.Arbitrary<Record<string, string>> =>
  fc.dictionary(
    texts.filter((name) => name !== '' && name !== '__proto__'),
    texts,
    { maxKeys: 12 },
  );
const texts = fc.oneof(maps(plain), maps(fc.oneof(plain, long)), maps(fc.oneof(plain, odd)));

it('keeps labels and annotations as they are, whether they are plain or not', () => {
  fc.assert(
    fc.property(texts, texts, plain, (given, shown, absent) => {
      const labels = Labels.from(given);
      const identity = new AlertIdentity(labels);
      expect([...identity.labels]).toEqual([...labels]);
      expect(identity.flat).toEqual([...labels].flat());
      expect(identity.key()).toBe(labels.key());
      expect(identity.fingerprint).toBe(fingerprint(labels));
      for (const [name, value] of labels) expect(identity.get(name)).toBe(value);
      expect(identity.get(absent)).toBe(labels.get(absent));
      const annotations = Annotations.from(Object.entries(shown));
      const sorted = Object.entries(shown).sort(([a], [b]) => compareText(a, b));
      expect([...annotations]).toEqual(sorted);
      for (const [name, value] of sorted) expect(annotations.get(name)).toBe(value);
      expect(annotations.get(absent)).toBe(
        Object.hasOwn(shown, absent) ? shown[absent] : undefined,
      );
    }),
  );
});

it('has the order of labels', () => {
  const few = fc.dictionary(fc.constantFrom('a', 'ab', 'b'), plain, { maxKeys: 3 });
  fc.assert(
    fc.property(fc.oneof(few, texts), fc.oneof(few, texts), fc.boolean(), (one, other, isAlike) => {
      const a = Labels.from(one);
      const b = Labels.from(isAlike ? { ...one, ...other } : other);
      const order = new AlertIdentity(a).compare(new AlertIdentity(b));
      expect(Math.sign(order)).toBe(Math.sign(a.compare(b)));
    }),
  );
});

it('is the JSON that the API prints, where every text is plain', () => {
  fc.assert(
    fc.property(texts, (given) => {
      const labels = Labels.from(given);
      const { object } = new AlertIdentity(labels);
      const json = `{${[...labels].map((pair) => pair.map(goJsonText).join(':')).join(',')}}`;
      const isPlain = [...labels].flat().every((text) => /^[ !#-%'-;=?-[\]-\u007f]*$/.test(text));
      expect(object).toBe(isPlain ? json.replaceAll('\n', '') : NOT_PLAIN);
    }),
  );
});

it('is written to files as other texts are', () => {
  fc.assert(
    fc.property(texts, texts, (given, shown) => {
      const labels = Labels.from(given);
      const annotations = Annotations.from(Object.entries(shown));
      const times = { startsAtMs: 1, endsAtMs: 2, updatedAtMs: 3, isTimeout: false };
      const identity = new AlertIdentity(labels);
      const alert: Alert = { identity, annotations, generatorUrl: 'http://p', ...times };
      const written = new ByteWriter();
      writeAlert(written, alert);
      const expected = new ByteWriter();
      for (const flat of [[...labels].flat(), [...annotations].flat()]) {
        expected.uvarint(flat.length / 2);
        for (const text of flat) expected.uvarintText(text);
      }
      expect(Buffer.from(written.take().subarray(0, expected.size))).toEqual(
        Buffer.from(expected.bytes()),
      );
      const again = new ByteWriter();
      writeAlert(again, alert);
      const read = readAlert(new ByteReader(again.take()));
      expect(read.identity.equals(identity)).toBe(true);
      expect(read.annotations.equals(annotations)).toBe(true);
      expect(read).toMatchObject({ generatorUrl: 'http://p', ...times });
    }),
  );
});

it('finds no value where a name only ends alike', () => {
  expect(textIn('{"ab":"1","b":"2","bc":"3"}', 'b')).toBe('2');
  expect(textIn('{"ab":"b"}', 'b')).toBeUndefined();
  expect(textIn('{}', '')).toBeUndefined();
});
