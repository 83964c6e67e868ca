import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatLines } from './format.ts';
import { parseLines } from './parse.ts';

it('is the inverse of reading', () => {
  const name = fc.stringMatching(/^[a-z][a-z ,="é]{0,5}[a-z]$/);
  const value = fc.oneof(
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((x) => (Object.is(x, -0) ? '0' : `${x}`)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((x) => `${x}i`),
    fc.boolean().map(String),
    fc.string().map((x) => `"${x.replace(/["\\]/g, '\\$&')}"`),
  );
  const escaped = (text: string): string => text.replace(/[, =]/g, '\\$&');
  const line = fc
    .tuple(name, fc.uniqueArray(name, { maxLength: 3 }), name, value, fc.integer())
    .map(([measurement, tags, field, text, time]) => {
      const key = [
        measurement.replace(/[, ]/g, '\\$&'),
        ...tags.sort().map((tag) => `${escaped(tag)}=x`),
      ];
      return `${key.join(',')} ${escaped(field)}=${text} ${time}`;
    });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      const once = parseLines(lines.join('\n'), 'ns', 0);
      const again = parseLines(formatLines(once.batch).join('\n'), 'ns', 0);
      expect(again.failures).toEqual([]);
      expect(formatLines(again.batch)).toEqual(formatLines(once.batch));
      expect(again.pointCount).toBe(once.pointCount);
    }),
  );
});
