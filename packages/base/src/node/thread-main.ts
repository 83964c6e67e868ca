/** The first module of every thread: loads the entry and runs it. Nothing but a thread imports it. */
import { parentPort, workerData } from 'node:worker_threads';
import { defined } from '../assert.ts';
import { EntryPort } from '../entry-port.ts';
import { packError } from '../worker-errors.ts';
import type { WorkerEntry, WorkerWorld } from '../workers.ts';
import { NodeClock } from './clock.ts';
import { collectWhenSilent } from './collector.ts';
import { NodeFiles } from './files.ts';
import { NodeRandom } from './random.ts';
import type { FromThread, ThreadStart, ToThread } from './worker-line.ts';

/** Less than a look at a dashboard takes. */
const SILENCE_MS = 1_000;
/** Collecting takes 10 ms and more of two processors, for less it is not worth that. */
const MIN_GROWTH_BYTES = 4 * 1024 * 1024;

const onMessage = collectWhenSilent(SILENCE_MS, MIN_GROWTH_BYTES);
const line = defined(parentPort, 'a thread has a parent');
const send = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void => {
  onMessage();
  line.postMessage(message, [...transfer]);
};
const port = new EntryPort<unknown, unknown>((body, transfer) =>
  send({ kind: 'message', body }, transfer),
);
line.on('message', (message: ToThread) => {
  onMessage();
  if (message.kind === 'stop') port.stop();
  else port.deliver(message.body);
});

const { module, name, data } = workerData as ThreadStart;
const world: WorkerWorld = {
  clock: new NodeClock(),
  random: new NodeRandom(),
  files: new NodeFiles(),
};
try {
  const entries = (await import(module)) as Readonly<
    Record<string, WorkerEntry<unknown, unknown, unknown> | undefined>
  >;
  const entry = defined(entries[name], `${module} exports the worker ${name}`);
  await entry.run(port, data, world);
  send({ kind: 'done' });
} catch (error) {
  send({ kind: 'failed', error: packError(error) });
}
// Without its line the thread has nothing to wait for and ends.
line.close();
