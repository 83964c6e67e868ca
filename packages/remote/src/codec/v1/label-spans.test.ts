import { Labels } from '@pollux/model';
import { labelsOfUtf8 } from '@pollux/storage';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLabelSpans } from './label-spans.ts';
import { decodeLabels, encodeLabels } from './labels.ts';

const spans = new Uint32Array(512);

/** The labels that are found, or null when the fields are left to `decodeLabels`. */
function read(fields: Uint8Array): Labels | null {
  // Not at the beginning of the data, as in a request.
  const data = new Uint8Array(fields.length + 5);
  data.set(fields, 3);
  const count = readLabelSpans(data, 3, 3 + fields.length, spans);
  return count < 0 ? null : labelsOfUtf8(data, spans, count);
}

const usual = fc
  .dictionary(
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    { maxKeys: 12 },
  )
  .map((object) => Labels.from({ ...object, __name__: 'm' }));

describe('label fields as spans', () => {
  it('are the labels that were encoded, whatever their lengths', () => {
    fc.assert(
      fc.property(usual, (labels) => {
        expect(read(encodeLabels(labels))?.equals(labels)).toBe(true);
      }),
    );
    const long = Labels.from({ __name__: 'm', id: 'x'.repeat(127), path: 'y'.repeat(16_000) });
    expect(read(encodeLabels(long))?.equals(long)).toBe(true);
  });

  it('are left to the careful decoder, or equal what it finds, for any bytes', () => {
    const broken = fc
      .tuple(usual, fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([labels, at, byte]) => {
        const fields = encodeLabels(labels);
        fields[at % fields.length] = byte;
        return fields;
      });
    fc.assert(
      fc.property(broken, (fields) => {
        const labels = read(fields);
        if (labels === null) return;
        let decoded: ReturnType<typeof decodeLabels> | null = null;
        try {
          decoded = decodeLabels(fields, 0, fields.length);
        } catch {
          // Text that is no UTF-8, which the storage refuses.
          return;
        }
        expect(decoded.kind).toBe('valid');
        expect(decoded.labels.equals(labels)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  const label = (name: string, value: string): number[] => {
    const bytes = [...new TextEncoder().encode(name)];
    const text = [...new TextEncoder().encode(value)];
    const inner = [0x0a, bytes.length, ...bytes, 0x12, text.length, ...text];
    return [0x0a, inner.length, ...inner];
  };

  it.each([
    ['no labels', []],
    ['labels out of order', [...label('__name__', 'm'), ...label('B', 'b')]],
    ['a name given twice', [...label('__name__', 'm'), ...label('__name__', 'm')]],
    ['an empty value', [...label('__name__', 'm'), ...label('a', '')]],
    ['an empty name', [...label('', 'a'), ...label('__name__', 'm')]],
    ['no metric name', label('a', 'b')],
    ['a label cut short', label('__name__', 'm').slice(0, -1)],
    ['a length of a needless byte', [0x0a, 0x80 + 13, 0, ...label('__name__', 'm').slice(2)]],
  ])('leave %s to the careful decoder', (_, bytes) => {
    expect(read(Uint8Array.from(bytes))).toBeNull();
  });
});
