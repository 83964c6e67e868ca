import type { MetricFamily } from '@pollux/telemetry';
import { single } from './collector.ts';
import { type Host, linesOf, numberOf, wordsOf } from './host.ts';

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;
/** What `unlimited` counts as: 2^64, as the Go client shows it. */
const UNLIMITED = 2 ** 64;

/** The exporter's own process, named as Prometheus' client libraries name it. Empty where proc does not tell. */
export function processFamilies(host: Host): readonly MetricFamily[] {
  const text = host.procIfThere('self/stat');
  if (text === null) return [];
  // The command in parentheses may hold spaces and parentheses; what follows the last one is plain.
  const fields = wordsOf(text.slice(text.lastIndexOf(')') + 1));
  const at = (field: number): number => numberOf(fields[field - 3], 'self/stat');
  const families = [
    single(
      'process_cpu_seconds_total',
      'counter',
      'Total user and system CPU time spent in seconds.',
      (at(14) + at(15)) / TICKS_PER_SECOND,
    ),
    single('process_virtual_memory_bytes', 'gauge', 'Virtual memory size in bytes.', at(23)),
    single(
      'process_resident_memory_bytes',
      'gauge',
      'Resident memory size in bytes.',
      at(24) * PAGE_BYTES,
    ),
    single(
      'process_open_fds',
      'gauge',
      'Number of open file descriptors.',
      host.procList('self/fd').length,
    ),
  ];
  const boot = linesOf(host.proc('stat')).find((line) => line.startsWith('btime '));
  if (boot !== undefined) {
    families.push(
      single(
        'process_start_time_seconds',
        'gauge',
        'Start time of the process since unix epoch in seconds.',
        numberOf(wordsOf(boot)[1], 'stat') + at(22) / TICKS_PER_SECOND,
      ),
    );
  }
  for (const line of linesOf(host.procIfThere('self/limits') ?? '')) {
    const soft = (name: string): number | null => {
      if (!line.startsWith(name)) return null;
      const [word] = wordsOf(line.slice(name.length));
      return word === 'unlimited' ? UNLIMITED : numberOf(word, 'self/limits');
    };
    const files = soft('Max open files');
    if (files !== null) {
      const help = 'Maximum number of open file descriptors.';
      families.push(single('process_max_fds', 'gauge', help, files));
    }
    const memory = soft('Max address space');
    if (memory !== null) {
      const help = 'Maximum amount of virtual memory available in bytes.';
      families.push(single('process_virtual_memory_max_bytes', 'gauge', help, memory));
    }
  }
  return families;
}
