import type { FamilyType } from '@pollux/telemetry';
import { type Collector, FamilyBuilder } from '../collector.ts';
import { type Host, linesOf, numberOf, wordsOf } from '../host.ts';

/** Sectors of /proc/diskstats, whatever the device's own are. */
const SECTOR_BYTES = 512;
const MS = 0.001;

/** Column behind the device's name, metric, type, factor, help. Old kernels end earlier. */
const FIELDS: readonly (readonly [number, string, FamilyType, number, string])[] = [
  [0, 'reads_completed_total', 'counter', 1, 'The total number of reads completed successfully.'],
  [1, 'reads_merged_total', 'counter', 1, 'The total number of reads merged.'],
  [2, 'read_bytes_total', 'counter', SECTOR_BYTES, 'The total number of bytes read successfully.'],
  [3, 'read_time_seconds_total', 'counter', MS, 'The total number of seconds spent by all reads.'],
  [4, 'writes_completed_total', 'counter', 1, 'The total number of writes completed successfully.'],
  [5, 'writes_merged_total', 'counter', 1, 'The number of writes merged.'],
  [
    6,
    'written_bytes_total',
    'counter',
    SECTOR_BYTES,
    'The total number of bytes written successfully.',
  ],
  [
    7,
    'write_time_seconds_total',
    'counter',
    MS,
    'This is the total number of seconds spent by all writes.',
  ],
  [8, 'io_now', 'gauge', 1, 'The number of I/Os currently in progress.'],
  [9, 'io_time_seconds_total', 'counter', MS, 'Total seconds spent doing I/Os.'],
  [
    10,
    'io_time_weighted_seconds_total',
    'counter',
    MS,
    'The weighted # of seconds spent doing I/Os.',
  ],
  [
    11,
    'discards_completed_total',
    'counter',
    1,
    'The total number of discards completed successfully.',
  ],
  [12, 'discards_merged_total', 'counter', 1, 'The total number of discards merged.'],
  [
    13,
    'discarded_sectors_total',
    'counter',
    1,
    'The total number of sectors discarded successfully.',
  ],
  [
    14,
    'discard_time_seconds_total',
    'counter',
    MS,
    'This is the total number of seconds spent by all discards.',
  ],
  [
    15,
    'flush_requests_total',
    'counter',
    1,
    'The total number of flush requests completed successfully',
  ],
  [
    16,
    'flush_requests_time_seconds_total',
    'counter',
    MS,
    'This is the total number of seconds spent by all flush requests.',
  ],
];

export const diskstats: Collector = {
  name: 'diskstats',
  isDefault: true,
  collect: (host) => {
    const info = new FamilyBuilder('node_disk_info', 'gauge', 'Info of /sys/block/<block_device>.');
    const families = FIELDS.map(
      ([, name, type, , help]) => new FamilyBuilder(`node_disk_${name}`, type, help),
    );
    for (const line of linesOf(host.proc('diskstats'))) {
      const [major = '', minor = '', device = '', ...columns] = wordsOf(line);
      if (host.exclusions.disk(device)) continue;
      info.add(1, ...infoLabels(host, device, major, minor));
      for (const [index, [column, , , factor]] of FIELDS.entries()) {
        const text = columns[column];
        if (text === undefined) continue;
        // Divided for milliseconds, so that 1,661 ms is 1.661 and not 1.6610000000000003.
        const count = numberOf(text, 'diskstats');
        families[index]?.add(factor === MS ? count / 1_000 : count * factor, 'device', device);
      }
    }
    return [info.build(), ...families.map((family) => family.build())];
  },
};

/** What udev knows of the device; empty labels where it knows nothing. */
function infoLabels(host: Host, device: string, major: string, minor: string): string[] {
  const properties = new Map<string, string>();
  for (const line of linesOf(host.udevIfThere(`b${major}:${minor}`) ?? '')) {
    const match = /^E:([^=]+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined) properties.set(match[1], match[2] ?? '');
  }
  const of = (name: string): string => properties.get(name) ?? '';
  const serial = of('SCSI_IDENT_SERIAL') || of('ID_SERIAL_SHORT');
  return [
    ...['device', device, 'major', major, 'minor', minor],
    ...['path', of('ID_PATH'), 'wwn', of('ID_WWN'), 'model', of('ID_MODEL')],
    ...['serial', serial, 'revision', of('ID_REVISION')],
  ];
}
