import { type Collector, FamilyBuilder } from '../collector.ts';
import { HostFormatError, linesOf, numberOf, wordsOf } from '../host.ts';

const RECEIVE = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'frame', 'compressed', 'multicast'];
const TRANSMIT = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'colls', 'carrier', 'compressed'];

export const netdev: Collector = {
  name: 'netdev',
  isDefault: true,
  collect: (host) => {
    const columns = [
      ...RECEIVE.map((field) => counter(`receive_${field}`)),
      ...TRANSMIT.map((field) => counter(`transmit_${field}`)),
    ];
    const nohandler = counter('receive_nohandler');
    for (const line of linesOf(host.proc('net/dev')).slice(2)) {
      // A name may be glued to its first number: `eth0:123`.
      const at = line.lastIndexOf(':');
      if (at < 0) throw new HostFormatError('net/dev', `no device in "${line}"`);
      const device = line.slice(0, at).trim();
      if (host.exclusions.networkDevice(device)) continue;
      const values = wordsOf(line.slice(at + 1));
      for (const [index, family] of columns.entries()) {
        family.add(numberOf(values[index], 'net/dev'), 'device', device);
      }
      const unhandled = host.sysIfThere(`class/net/${device}/statistics/rx_nohandler`);
      if (unhandled !== null) nohandler.add(Number(unhandled), 'device', device);
    }
    return [...columns, nohandler].map((family) => family.build());
  },
};

function counter(field: string): FamilyBuilder {
  return new FamilyBuilder(
    `node_network_${field}_total`,
    'counter',
    `Network device statistic ${field}.`,
  );
}
