import { type Collector, FamilyBuilder, single } from '../collector.ts';
import { wordsOf } from '../host.ts';
import { zoneName } from '../zone-name.ts';

const CLOCKSOURCES = 'devices/system/clocksource';

export const time: Collector = {
  name: 'time',
  isDefault: true,
  collect: (host) => {
    const nowMs = host.clock.now();
    // Minutes west of Greenwich; `0 -` keeps a plain zero.
    const offsetSeconds = 0 - new Date(nowMs).getTimezoneOffset() * 60;
    const available = new FamilyBuilder(
      'node_time_clocksource_available_info',
      'gauge',
      "Available clocksources read from '/sys/devices/system/clocksource'.",
    );
    const current = new FamilyBuilder(
      'node_time_clocksource_current_info',
      'gauge',
      "Current clocksource read from '/sys/devices/system/clocksource'.",
    );
    for (const entry of host.sysList(CLOCKSOURCES)) {
      const device = /^clocksource(\d+)$/.exec(entry)?.[1];
      if (device === undefined) continue;
      for (const source of wordsOf(host.sys(`${CLOCKSOURCES}/${entry}/available_clocksource`))) {
        available.add(1, 'clocksource', source, 'device', device);
      }
      const used = host.sys(`${CLOCKSOURCES}/${entry}/current_clocksource`).trim();
      current.add(1, 'clocksource', used, 'device', device);
    }
    return [
      single(
        'node_time_seconds',
        'gauge',
        'System time in seconds since epoch (1970).',
        nowMs / 1_000,
      ),
      single(
        'node_time_zone_offset_seconds',
        'gauge',
        'System time zone offset in seconds.',
        offsetSeconds,
        'time_zone',
        zoneName(host, offsetSeconds),
      ),
      available.build(),
      current.build(),
    ];
  },
};
