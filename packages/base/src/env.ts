import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import type { Net } from './net.ts';
import type { Random } from './random.ts';
import type { Workers } from './workers.ts';

/** The world a role lives in. Real in production, fake in tests, deterministic in the simulator. */
export type Env = {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly net: Net;
  readonly workers: Workers;
};
