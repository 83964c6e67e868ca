import { type Collector, FamilyBuilder, single } from '../collector.ts';
import { wordsOf } from '../host.ts';

const CLOCKSOURCES = 'devices/system/clocksource';

export const time: Collector = {
  name: 'time',
  isDefault: true,
  collect: (host) => {
    const nowMs = host.clock.now();
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
        // Minutes west of Greenwich; `0 -` keeps a plain zero.
        0 - new Date(nowMs).getTimezoneOffset() * 60,
        'time_zone',
        zoneName(nowMs),
      ),
      available.build(),
      current.build(),
    ];
  },
};

/** The zone's abbreviation where one is known, else its offset, as `GMT+2`. */
function zoneName(nowMs: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(nowMs);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}
