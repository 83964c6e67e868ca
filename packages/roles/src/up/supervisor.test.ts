import { VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { Supervisor } from './supervisor.ts';

describe('a supervisor', () => {
  it('ends in time and says so when a process cannot even be started', async () => {
    const clock = new VirtualClock(0);
    const lines: string[] = [];
    const ended = new Promise<void>((resolve) => {
      const supervisor = new Supervisor({
        clock,
        program: ['/nonexistent/node'],
        commands: [
          {
            name: 'A/server',
            role: 'server',
            args: [],
            environment: {},
            address: '127.0.0.1:1',
            readyPath: '/-/ready',
          },
        ],
        onLine: (_, line) => {
          lines.push(line);
          // The second line tells that another attempt is planned.
          if (lines.length === 2) void supervisor.stopAll().then(resolve);
        },
        restarts: true,
      });
      supervisor.startAll();
    });
    await ended;
    expect(lines[0]).toContain('cannot start: spawn /nonexistent/node ENOENT');
    expect(lines[1]).toBe('ended by a failed start; starting again in 500 ms');
  });
});
