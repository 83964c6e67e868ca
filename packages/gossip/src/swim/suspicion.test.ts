import { describe, expect, test } from 'vitest';
import { LAN } from './config.ts';
import { confirm, suspect, suspicionEndMs } from './suspicion.ts';

describe('suspicion', () => {
  test.each([
    [2, 4_000, 4_000],
    [3, 4_000, 4_000],
    [4, 24_000, 4_000],
    [10, 24_000, 4_000],
    [100, 48_000, 8_000],
  ])('among %i members lasts %i ms alone and %i ms when confirmed', (count, alone, confirmed) => {
    const suspicion = suspect(LAN, count, 'a', 1_000);
    expect(suspicionEndMs(suspicion)).toBe(1_000 + alone);
    confirm(suspicion, 'a');
    expect(suspicionEndMs(suspicion)).toBe(1_000 + alone);
    confirm(suspicion, 'b');
    confirm(suspicion, 'c');
    expect(suspicionEndMs(suspicion)).toBe(1_000 + confirmed);
    expect(confirm(suspicion, 'd')).toBe(false);
  });
});
