import { expect, it } from 'vitest';
import { goJsonString } from './json-answer.ts';

it.each([
  ['C:\\bin\\file\\new', '"C:\\\\bin\\\\file\\\\new"'],
  ['\b\f\n\r\t', '"\\u0008\\u000c\\n\\r\\t"'],
  ['\\\b\\\\f', '"\\\\\\u0008\\\\\\\\f"'],
  ['<a href="x">&\u2028\u007f\u0001', '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\u007f\\u0001"'],
])('%j is written as Go does', (text, written) => {
  expect(goJsonString(text)).toBe(written);
  expect(JSON.parse(goJsonString(text))).toBe(text);
});
