import { type Collector, FamilyBuilder } from '../collector.ts';
import { linesOf, numberOf, wordsOf } from '../host.ts';

/** Clock ticks of /proc/stat per second; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Columns of a cpu line, in the kernel's order. */
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;

export const cpu: Collector = {
  name: 'cpu',
  isDefault: true,
  collect: (host) => {
    const seconds = new FamilyBuilder(
      'node_cpu_seconds_total',
      'counter',
      'Seconds the CPUs spent in each mode.',
    );
    const guest = new FamilyBuilder(
      'node_cpu_guest_seconds_total',
      'counter',
      'Seconds the CPUs spent in guests (VMs) for each mode.',
    );
    for (const line of linesOf(host.proc('stat'))) {
      const [name = '', ...ticks] = wordsOf(line);
      const match = /^cpu(\d+)$/.exec(name);
      const id = match?.[1];
      if (id === undefined) continue;
      const at = (column: number): number =>
        numberOf(ticks[column] ?? '0', 'stat') / TICKS_PER_SECOND;
      for (const [column, mode] of MODES.entries())
        seconds.add(at(column), 'cpu', id, 'mode', mode);
      guest.add(at(8), 'cpu', id, 'mode', 'user').add(at(9), 'cpu', id, 'mode', 'nice');
    }
    return [seconds.build(), guest.build()];
  },
};
