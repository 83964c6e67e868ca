import type { MetricFamily } from '@pollux/telemetry';
import { type Collector, single } from '../collector.ts';
import { linesOf, numberOf, wordsOf } from '../host.ts';

export const meminfo: Collector = {
  name: 'meminfo',
  isDefault: true,
  collect: (host) => {
    const families: MetricFamily[] = [];
    for (const line of linesOf(host.proc('meminfo'))) {
      const [key = '', amount, unit] = wordsOf(line);
      // `Active(anon):` becomes Active_anon.
      const field = key.replace(/:$/, '').replace(/\((.*)\)/, '_$1');
      const isKilobytes = unit === 'kB';
      const name = isKilobytes ? `${field}_bytes` : field;
      const value = numberOf(amount, 'meminfo') * (isKilobytes ? 1024 : 1);
      families.push(
        single(`node_memory_${name}`, 'gauge', `Memory information field ${name}.`, value),
      );
    }
    return families;
  },
};
