import { expect, test } from 'vitest';
import { namesOf } from './request-tls.ts';

test('alternative names of a certificate come without their kinds, and a value with a comma is one', () => {
  expect(namesOf('')).toEqual([]);
  expect(namesOf('DNS:a.test, DNS:*.b.test, IP Address:10.0.0.1')).toEqual([
    'a.test',
    '*.b.test',
    '10.0.0.1',
  ]);
  expect(namesOf('email:eve@a.test, URI:spiffe://a/b, IP Address:0:0:0:0:0:0:0:1')).toEqual([
    'eve@a.test',
    'spiffe://a/b',
    '::1',
  ]);
  expect(namesOf('URI:"http://a.test/\\u002c, DNS:admin.test", DNS:c.test')).toEqual([
    'http://a.test/,, DNS:admin.test',
    'c.test',
  ]);
  // Of other kinds, which no list of names can mean.
  expect(namesOf('DirName:"CN=a, O=b", Registered ID:1.2.3, DNS:d.test')).toEqual(['d.test']);
});
