import type { MetricFamily } from '@pollux/telemetry';
import { type Collector, single } from '../collector.ts';
import { linesOf, numberOf, wordsOf } from '../host.ts';

/** Resource, kind of line, metric, help. */
const FIELDS = [
  ['cpu', 'some', 'cpu_waiting', 'Total time in seconds that processes have waited for CPU time'],
  [
    'io',
    'some',
    'io_waiting',
    'Total time in seconds that processes have waited due to IO congestion',
  ],
  [
    'io',
    'full',
    'io_stalled',
    'Total time in seconds no process could make progress due to IO congestion',
  ],
  [
    'memory',
    'some',
    'memory_waiting',
    'Total time in seconds that processes have waited for memory',
  ],
  [
    'memory',
    'full',
    'memory_stalled',
    'Total time in seconds no process could make progress due to memory congestion',
  ],
] as const;

export const pressure: Collector = {
  name: 'pressure',
  isDefault: true,
  collect: (host) => {
    const families: MetricFamily[] = [];
    for (const [resource, kind, field, help] of FIELDS) {
      const path = `pressure/${resource}`;
      const line = linesOf(host.proc(path)).find((one) => one.startsWith(`${kind} `));
      if (line === undefined) continue;
      const total = wordsOf(line).find((word) => word.startsWith('total='));
      // The kernel counts microseconds.
      const seconds = numberOf(total?.slice('total='.length), path) / 1e6;
      families.push(single(`node_pressure_${field}_seconds_total`, 'counter', help, seconds));
    }
    return families;
  },
};
