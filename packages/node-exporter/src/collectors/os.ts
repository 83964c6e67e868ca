import type { MetricFamily } from '@pollux/telemetry';
import { type Collector, single } from '../collector.ts';
import { HostFormatError, linesOf } from '../host.ts';

/** Labels of node_os_info; each is the key of os-release in lower case. */
const INFO = [
  'build_id',
  'id',
  'id_like',
  'image_id',
  'image_version',
  'name',
  'pretty_name',
  'variant',
  'variant_id',
  'version',
  'version_codename',
  'version_id',
] as const;

export const os: Collector = {
  name: 'os',
  isDefault: true,
  collect: (host) => {
    const text = host.rootIfThere('/etc/os-release') ?? host.rootIfThere('/usr/lib/os-release');
    if (text === null) throw new HostFormatError('/etc/os-release', 'not there');
    const release = parseRelease(text);
    const of = (name: string): string => release.get(name.toUpperCase()) ?? '';
    const families: MetricFamily[] = [
      single(
        'node_os_info',
        'gauge',
        `A metric with a constant '1' value labeled by ${INFO.join(', ')}.`,
        1,
        ...INFO.flatMap((name) => [name, of(name)]),
      ),
    ];
    // `22.04.1` is 22.04: the number can hold no more.
    const version = /^\d+(?:\.\d+)?/.exec(of('version_id'))?.[0];
    if (version !== undefined) {
      families.push(
        single(
          'node_os_version',
          'gauge',
          'Metric containing the major.minor part of the OS version.',
          Number(version),
          ...['id', 'id_like', 'name'].flatMap((name) => [name, of(name)]),
        ),
      );
    }
    const supportEndMs = Date.parse(of('support_end'));
    if (!Number.isNaN(supportEndMs)) {
      families.push(
        single(
          'node_os_support_end_timestamp_seconds',
          'gauge',
          'Metric containing the end-of-life date timestamp of the OS.',
          supportEndMs / 1_000,
        ),
      );
    }
    return families;
  },
};

/** Shell assignments, one a line, values bare or in quotes (os-release(5)). */
function parseRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of linesOf(text)) {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    if (match?.[1] === undefined) continue;
    const raw = match[2] ?? '';
    const isQuoted = raw.length >= 2 && /^["']/.test(raw) && raw.endsWith(raw.charAt(0));
    values.set(match[1], isQuoted ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw);
  }
  return values;
}
