import { describe, expect, it } from 'vitest';
import { systemdSockets } from './systemd-sockets.ts';

describe('sockets of systemd', () => {
  it('are the descriptors from three on', () => {
    expect(systemdSockets({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7)).toEqual([
      { descriptor: 3 },
      { descriptor: 4 },
    ]);
  });

  it.each([
    [{}, 'handed no socket over'],
    [{ LISTEN_PID: '7' }, 'handed no socket over'],
    [{ LISTEN_PID: '7', LISTEN_FDS: '0' }, 'handed no socket over'],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1e9' }, 'handed no socket over'],
    [{ LISTEN_PID: '7', LISTEN_FDS: '99999' }, 'is over'],
    [{ LISTEN_PID: '8', LISTEN_FDS: '1' }, 'process 8 (LISTEN_PID), not of this one, 7'],
    [{ LISTEN_FDS: '1' }, 'process nobody'],
  ])('of %j are refused with the reason and the remedy', (variables, why) => {
    expect(() => systemdSockets(variables, 7)).toThrow(why);
    expect(() => systemdSockets(variables, 7)).toThrow('--web.listen-address');
  });
});
