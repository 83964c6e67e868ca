import { type Collector, single } from '../collector.ts';
import { numberOf } from '../host.ts';

export const entropy: Collector = {
  name: 'entropy',
  isDefault: true,
  collect: (host) => {
    const read = (file: string): number =>
      numberOf(host.proc(`sys/kernel/random/${file}`).trim(), `sys/kernel/random/${file}`);
    return [
      single(
        'node_entropy_available_bits',
        'gauge',
        'Bits of available entropy.',
        read('entropy_avail'),
      ),
      single('node_entropy_pool_size_bits', 'gauge', 'Bits of entropy pool.', read('poolsize')),
    ];
  },
};
