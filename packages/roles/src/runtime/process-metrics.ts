import { readdirSync, readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import type { MetricFamily, Registry } from '@pollux/telemetry';
import { VERSION } from './role.ts';

/** process_* as Prometheus' clients name them, and what is worth knowing of the JavaScript engine. */
export function registerProcessMetrics(registry: Registry, startedMs: number): void {
  let gcSeconds = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) gcSeconds += entry.duration / 1_000;
  }).observe({ entryTypes: ['gc'] });
  registry.collect(() => {
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return [
      family(
        'process_cpu_seconds_total',
        'counter',
        'Total user and system CPU time spent in seconds.',
        (user + system) / 1e6,
      ),
      family(
        'process_start_time_seconds',
        'gauge',
        'Start time of the process since unix epoch in seconds.',
        startedMs / 1_000,
      ),
      family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', rss),
      family('process_open_fds', 'gauge', 'Number of open file descriptors.', openDescriptors()),
      family(
        'process_max_fds',
        'gauge',
        'Maximum number of open file descriptors.',
        maxDescriptors(),
      ),
      family(
        'nodejs_heap_size_used_bytes',
        'gauge',
        'Bytes of the JavaScript heap in use.',
        heapUsed,
      ),
      family('nodejs_heap_size_total_bytes', 'gauge', 'Bytes of the JavaScript heap.', heapTotal),
      family(
        'nodejs_external_memory_bytes',
        'gauge',
        'Bytes outside the heap that objects hold.',
        external,
      ),
      family('nodejs_array_buffers_bytes', 'gauge', 'Bytes of array buffers.', arrayBuffers),
      family('nodejs_gc_seconds_total', 'counter', 'Seconds spent collecting garbage.', gcSeconds),
    ];
  });
  registry
    .gauges('pollux_build_info', 'Version of Pollux and of Node.', ['version', 'node'])
    .with(VERSION, process.version)
    .set(1);
}

function family(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: number,
): MetricFamily {
  return {
    name,
    type,
    help,
    samples: Number.isNaN(value) ? [] : [{ suffix: '', labels: [], value }],
  };
}

/** NaN where the system has no /proc; the family is then left out. */
function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return Number.NaN;
  }
}

function maxDescriptors(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? Number.NaN : Number(match[1]);
  } catch {
    return Number.NaN;
  }
}
