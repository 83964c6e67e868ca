import type { MetricFamily } from '@pollux/telemetry';
import { type Collector, single } from '../collector.ts';
import { linesOf, numberOf, wordsOf } from '../host.ts';

/** The fields that node_exporter shows by default. */
const SHOWN = /^(?:oom_kill|pgpg|pswp|pg.*fault)/;

export const vmstat: Collector = {
  name: 'vmstat',
  isDefault: true,
  collect: (host) => {
    const families: MetricFamily[] = [];
    for (const line of linesOf(host.proc('vmstat'))) {
      const [field = '', value] = wordsOf(line);
      if (!SHOWN.test(field)) continue;
      families.push(
        single(
          `node_vmstat_${field}`,
          'untyped',
          `/proc/vmstat information field ${field}.`,
          numberOf(value, 'vmstat'),
        ),
      );
    }
    return families;
  },
};
