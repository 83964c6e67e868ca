import type { FamilyType } from '@pollux/telemetry';
import { type Collector, FamilyBuilder } from '../collector.ts';

/** File below /sys/class/net/<device>, metric, type, factor. A file that is missing or unreadable gives no sample. */
const FIELDS: readonly (readonly [file: string, name: string, type: FamilyType, factor: number])[] =
  [
    ['addr_assign_type', 'address_assign_type', 'gauge', 1],
    ['carrier', 'carrier', 'gauge', 1],
    ['carrier_changes', 'carrier_changes_total', 'counter', 1],
    ['carrier_up_count', 'carrier_up_changes_total', 'counter', 1],
    ['carrier_down_count', 'carrier_down_changes_total', 'counter', 1],
    ['dev_id', 'device_id', 'gauge', 1],
    ['dormant', 'dormant', 'gauge', 1],
    ['flags', 'flags', 'gauge', 1],
    ['ifindex', 'iface_id', 'gauge', 1],
    ['iflink', 'iface_link', 'gauge', 1],
    ['link_mode', 'iface_link_mode', 'gauge', 1],
    ['mtu', 'mtu_bytes', 'gauge', 1],
    ['name_assign_type', 'name_assign_type', 'gauge', 1],
    ['netdev_group', 'net_dev_group', 'gauge', 1],
    // Mbit/s to bytes/s.
    ['speed', 'speed_bytes', 'gauge', 125_000],
    ['tx_queue_len', 'transmit_queue_length', 'gauge', 1],
    ['type', 'protocol_type', 'gauge', 1],
  ];

/** Labels of node_network_info. */
const INFO = ['address', 'broadcast', 'duplex', 'operstate', 'ifalias'] as const;

export const netclass: Collector = {
  name: 'netclass',
  isDefault: true,
  collect: (host) => {
    const info = new FamilyBuilder(
      'node_network_info',
      'gauge',
      'Non-numeric data from /sys/class/net/<iface>, value is always 1.',
    );
    const up = new FamilyBuilder(
      'node_network_up',
      'gauge',
      "Value is 1 if operstate is 'up', 0 otherwise.",
    );
    const families = FIELDS.map(
      ([, name, type]) =>
        new FamilyBuilder(`node_network_${name}`, type, `Network device property: ${name}`),
    );
    for (const device of host.sysList('class/net')) {
      if (host.exclusions.networkDevice(device)) continue;
      const read = (file: string): string | null =>
        host.sysIfThere(`class/net/${device}/${file}`)?.trim() ?? null;
      const state = read('operstate');
      // Not a device: /sys/class/net also holds files such as bonding_masters.
      if (state === null) continue;
      up.add(state === 'up' ? 1 : 0, 'device', device);
      info.add(1, 'device', device, ...INFO.flatMap((name) => [name, read(name) ?? '']));
      for (const [index, [file, , , factor]] of FIELDS.entries()) {
        const text = read(file);
        if (text === null || text === '' || Number.isNaN(Number(text))) continue;
        families[index]?.add(Number(text) * factor, 'device', device);
      }
    }
    return [up.build(), info.build(), ...families.map((family) => family.build())];
  },
};
