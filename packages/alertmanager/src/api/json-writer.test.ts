import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonWriter } from './json-writer.ts';

const URLS = fc.string({ unit: fc.constantFrom('&', '<', '>', 'a', 'é', '\u2028', '"') });

function escaped(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (sign) => {
    return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

describe('the writer of JSON', () => {
  it('writes texts as JSON.stringify does, with what HTML would take for its own escaped', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), URLS)), (texts) => {
        const json = new JsonWriter();
        for (const text of texts) json.text(text);
        expect(Buffer.from(json.take()).toString()).toBe(
          texts.map((text) => escaped(JSON.stringify(text))).join(''),
        );
      }),
    );
  });

  it('writes times as toISOString does', () => {
    const json = new JsonWriter();
    fc.assert(
      fc.property(fc.array(fc.date({ noInvalidDate: true })), (dates) => {
        for (const date of dates) json.dateTime(date.getTime());
        expect(Buffer.from(json.take()).toString()).toBe(
          dates.map((date) => JSON.stringify(date)).join(''),
        );
      }),
    );
  });

  it('grows with what is written, and begins anew when that is taken', () => {
    const json = new JsonWriter();
    const long = 'é'.repeat(300_000);
    json.text(long);
    json.text('x'.repeat(200_000));
    expect(json.size).toBe(2 + 600_000 + 2 + 200_000);
    expect(json.take()).toHaveLength(800_004);
    expect(json.size).toBe(0);
  });
});
