import { CanceledError, OperatingError } from '../errors.ts';
import type { WorkerEntry } from '../workers.ts';

export type TrialRequest =
  | { readonly kind: 'add'; readonly numbers: Float64Array }
  | { readonly kind: 'fill'; readonly shared: Int32Array }
  | { readonly kind: 'hand-back'; readonly bytes: Uint8Array }
  | { readonly kind: 'fail'; readonly how: 'operating' | 'system' | 'uncaught' | 'exit' | 'memory' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'end' };

export type TrialReply =
  | { readonly kind: 'sum'; readonly sum: number }
  | { readonly kind: 'filled' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** A worker that does what it is told, well or badly. */
export const TRIAL: WorkerEntry<{ readonly offset: number }, TrialRequest, TrialReply> = {
  name: 'TRIAL',
  module: import.meta.url,
  run: async (port, { offset }, { files }) => {
    for (;;) {
      const request = await port.receive();
      switch (request.kind) {
        case 'add':
          port.post({ kind: 'sum', sum: request.numbers.reduce((a, b) => a + b, offset) });
          break;
        case 'fill':
          request.shared.fill(7);
          port.post({ kind: 'filled' });
          break;
        case 'hand-back':
          port.post({ kind: 'bytes', bytes: request.bytes }, [request.bytes.buffer as ArrayBuffer]);
          break;
        case 'hang':
          await new Promise((_, reject) => {
            port.signal.addEventListener('abort', () => reject(new CanceledError()));
          });
          break;
        case 'fail':
          fail(request.how, () => files.readFile('/no/such/file'));
          break;
        case 'end':
          return;
      }
    }
  },
};

function fail(how: (TrialRequest & { kind: 'fail' })['how'], readMissing: () => unknown): void {
  switch (how) {
    case 'operating':
      throw new OperatingError('TRIAL.BAD', 'it is bad', { cause: new Error('inside') });
    case 'system':
      readMissing();
      return;
    case 'uncaught':
      setImmediate(() => {
        throw new Error('nobody caught this');
      });
      return;
    case 'exit':
      process.exit(3);
      return;
    case 'memory': {
      const kept: object[] = [];
      for (;;) kept.push({ a: kept.length });
    }
  }
}
