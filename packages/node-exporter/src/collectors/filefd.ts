import { type Collector, single } from '../collector.ts';
import { numberOf, wordsOf } from '../host.ts';

export const filefd: Collector = {
  name: 'filefd',
  isDefault: true,
  collect: (host) => {
    const [allocated, , maximum] = wordsOf(host.proc('sys/fs/file-nr'));
    const family = (field: string, value: string | undefined) =>
      single(
        `node_filefd_${field}`,
        'gauge',
        `File descriptor statistics: ${field}.`,
        numberOf(value, 'sys/fs/file-nr'),
      );
    return [family('allocated', allocated), family('maximum', maximum)];
  },
};
