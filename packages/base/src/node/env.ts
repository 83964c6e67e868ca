import type { Env } from '../env.ts';
import { NodeClock } from './clock.ts';
import { NodeFiles } from './files.ts';
import { NodeNet } from './net.ts';
import { NodeRandom } from './random.ts';
import { NodeWorkers } from './workers.ts';

/** The real world. */
export function nodeEnv(): Env & { readonly net: NodeNet } {
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    files: new NodeFiles(),
    net: new NodeNet(),
    workers: new NodeWorkers(),
  };
}
