import { type Collector, FamilyBuilder } from '../collector.ts';
import { type Host, linesOf, wordsOf } from '../host.ts';

type Mount = {
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly isReadOnly: boolean;
};

/**
 * Space and file nodes of mounted filesystems. The system is asked once per filesystem, in turn; a network filesystem
 * whose server is gone can hold the scrape, so exclude such types where that matters.
 */
export const filesystem: Collector = {
  name: 'filesystem',
  isDefault: true,
  collect: (host) => {
    const gauge = (name: string, help: string): FamilyBuilder =>
      new FamilyBuilder(`node_filesystem_${name}`, 'gauge', help);
    const avail = gauge('avail_bytes', 'Filesystem space available to non-root users in bytes.');
    const free = gauge('free_bytes', 'Filesystem free space in bytes.');
    const size = gauge('size_bytes', 'Filesystem size in bytes.');
    const files = gauge('files', 'Filesystem total file nodes.');
    const filesFree = gauge('files_free', 'Filesystem total free file nodes.');
    const readonly = gauge('readonly', 'Filesystem read-only status.');
    const failed = gauge(
      'device_error',
      'Whether an error occurred while getting statistics for the given device.',
    );
    for (const mount of mountsOf(host)) {
      const { device, mountPoint, type } = mount;
      const labels = ['device', device, 'fstype', type, 'mountpoint', mountPoint];
      try {
        const space = host.space(host.inRoot(mountPoint));
        avail.add(space.freeBytes, ...labels);
        free.add(space.freeBytesForRoot ?? space.freeBytes, ...labels);
        size.add(space.totalBytes, ...labels);
        files.add(space.inodeCount ?? 0, ...labels);
        filesFree.add(space.freeInodeCount ?? 0, ...labels);
        readonly.add(mount.isReadOnly ? 1 : 0, ...labels);
        failed.add(0, ...labels);
      } catch {
        // The metric is the report: a mount that this user may not see is ordinary.
        failed.add(1, ...labels);
      }
    }
    return [avail, free, size, files, filesFree, readonly, failed].map((family) => family.build());
  },
};

/** Mounts of the first process (this one may live in a namespace of its own), each mount point once. */
function mountsOf(host: Host): Mount[] {
  const text = host.procIfThere('1/mounts') ?? host.proc('self/mounts');
  const seen = new Set<string>();
  const mounts: Mount[] = [];
  for (const line of linesOf(text)) {
    const [device = '', path = '', type = '', options = ''] = wordsOf(line).map(decodeEscapes);
    const mountPoint = host.outOfRoot(path);
    if (host.exclusions.mountPoint(mountPoint) || host.exclusions.filesystemType(type)) continue;
    const key = `${device}\n${mountPoint}`;
    if (seen.has(key)) continue;
    seen.add(key);
    mounts.push({ device, mountPoint, type, isReadOnly: options.split(',').includes('ro') });
  }
  return mounts;
}

/** The kernel writes space, tab, newline and backslash as octal escapes. */
function decodeEscapes(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
