import { expect, it } from 'vitest';
import { parseLines } from './parse.ts';

it.each(['m f="=,"a\\,."i"t', 'm f="=,\n\n"x5\\,."i"t 17'])(
  'ends with an error at a field without a value that quotes hid at first: %j',
  (line) => {
    const { failures, pointCount } = parseLines(line, 'ns', 0);
    expect(failures).toEqual([`unable to parse '${line}': invalid value: field-key=."i"t`]);
    expect(pointCount).toBe(0);
  },
);
