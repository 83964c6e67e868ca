import { type Collector, single } from '../collector.ts';
import { numberOf } from '../host.ts';

/** Entries and their limit; a machine without connection tracking has neither and that is no failure. */
export const conntrack: Collector = {
  name: 'conntrack',
  isDefault: true,
  collect: (host) => {
    const count = host.procIfThere('sys/net/netfilter/nf_conntrack_count');
    const limit = host.procIfThere('sys/net/netfilter/nf_conntrack_max');
    if (count === null || limit === null) return [];
    return [
      single(
        'node_nf_conntrack_entries',
        'gauge',
        'Number of currently allocated flow entries for connection tracking.',
        numberOf(count.trim(), 'nf_conntrack_count'),
      ),
      single(
        'node_nf_conntrack_entries_limit',
        'gauge',
        'Maximum size of connection tracking table.',
        numberOf(limit.trim(), 'nf_conntrack_max'),
      ),
    ];
  },
};
