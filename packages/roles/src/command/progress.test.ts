import { type Env, VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from './command.ts';
import { Progress } from './progress.ts';

async function shown(isTerminal: boolean): Promise<string> {
  const clock = new VirtualClock();
  let text = '';
  const stderr = {
    isTerminal,
    write: (part: string) => {
      text += part;
    },
    drained: async () => {},
  };
  const progress = new Progress({ stderr, env: { clock } as unknown as Env } as CommandContext);
  for (let done = 0; done <= 10; done++) {
    progress.at('reading', done, 10, () => `${done} samples`);
    await clock.advance(1_000);
  }
  progress.at('sending', 3, 0, () => 'x');
  progress.clear();
  return text;
}

describe('progress', () => {
  it('is a bar on a terminal, drawn in place and taken away at the end', async () => {
    const text = await shown(true);
    expect(text).not.toContain('\n');
    const drawn = text.split('\r\u001b[K');
    expect(drawn[5]).toBe(`reading [${'#'.repeat(15)}${'.'.repeat(15)}] 50% 5 samples`);
    expect(drawn.slice(-2)).toEqual(['sending x', '']);
  });

  it('is a plain line every few seconds elsewhere', async () => {
    expect(await shown(false)).toBe('reading: 50% 5 samples\nreading: 100% 10 samples\n');
  });
});
