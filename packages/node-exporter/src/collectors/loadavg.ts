import { type Collector, single } from '../collector.ts';
import { numberOf, wordsOf } from '../host.ts';

export const loadavg: Collector = {
  name: 'loadavg',
  isDefault: true,
  collect: (host) => {
    const words = wordsOf(host.proc('loadavg'));
    return (['1', '5', '15'] as const).map((minutes, index) =>
      single(
        `node_load${minutes}`,
        'gauge',
        `${minutes}m load average.`,
        numberOf(words[index], 'loadavg'),
      ),
    );
  },
};
