import { describe, expect, it } from 'vitest';
import { advertiseAddress, type InterfaceAddress } from './advertise-address.ts';

const of = (...addresses: string[]): InterfaceAddress[] =>
  addresses.map((address) => ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal: address === '127.0.0.1' || address === '::1',
  }));

describe('the address that peers are told', () => {
  it.each([
    [['127.0.0.1', '8.8.8.8', '10.1.2.3', '192.168.0.1'], '10.1.2.3'],
    [['fd00::7', '172.31.0.9'], '172.31.0.9'],
    [['100.64.3.4'], '100.64.3.4'],
    [['fe80::1', '2001:db8::1', 'fd12::7'], 'fd12::7'],
  ])('of %j is %s', (addresses, expected) => {
    expect(advertiseAddress(of(...addresses), false)).toBe(expected);
  });

  it('is a public one only where that is allowed', () => {
    const addresses = of(
      '127.0.0.1',
      '::1',
      'fe80::1',
      '169.254.1.1',
      '2001:db8::1',
      '100.128.0.1',
    );
    expect(() => advertiseAddress(addresses, false)).toThrow('no private IP address found');
    expect(advertiseAddress(addresses, true)).toBe('100.128.0.1');
    expect(() => advertiseAddress(of('127.0.0.1'), true)).toThrow('no private IP address found');
  });
});
