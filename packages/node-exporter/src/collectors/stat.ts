import type { FamilyType, MetricFamily } from '@pollux/telemetry';
import { type Collector, single } from '../collector.ts';
import { linesOf, numberOf, wordsOf } from '../host.ts';

/** First word of the line, metric, type, help. */
const FIELDS: Readonly<Record<string, readonly [name: string, type: FamilyType, help: string]>> = {
  intr: ['node_intr_total', 'counter', 'Total number of interrupts serviced.'],
  ctxt: ['node_context_switches_total', 'counter', 'Total number of context switches.'],
  processes: ['node_forks_total', 'counter', 'Total number of forks.'],
  btime: ['node_boot_time_seconds', 'gauge', 'Node boot time, in unixtime.'],
  procs_running: ['node_procs_running', 'gauge', 'Number of processes in runnable state.'],
  procs_blocked: [
    'node_procs_blocked',
    'gauge',
    'Number of processes blocked waiting for I/O to complete.',
  ],
};

export const stat: Collector = {
  name: 'stat',
  isDefault: true,
  collect: (host) => {
    const families: MetricFamily[] = [];
    for (const line of linesOf(host.proc('stat'))) {
      const [key = '', value] = wordsOf(line);
      const field = FIELDS[key];
      if (field === undefined) continue;
      const [name, type, help] = field;
      families.push(single(name, type, help, numberOf(value, 'stat')));
    }
    return families;
  },
};
