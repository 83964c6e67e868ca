export { NodeClock } from './clock.ts';
export { garbageCollector } from './collector.ts';
export { nodeEnv } from './env.ts';
export { NodeFiles } from './files.ts';
export { DirectoryLockedError, lockDirectory } from './lock.ts';
export { NodeNet } from './net.ts';
export { NodeRandom } from './random.ts';
export { NodeWorkers } from './workers.ts';
