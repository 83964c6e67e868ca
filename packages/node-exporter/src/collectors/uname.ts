import { type Collector, single } from '../collector.ts';
import type { Host } from '../host.ts';

/** `e_machine` of an ELF header to the name that uname gives, for the machines that Node is built for. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'i686',
  21: 'ppc64le',
  22: 's390x',
  40: 'armv7l',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

export const uname: Collector = {
  name: 'uname',
  isDefault: true,
  collect: (host) => {
    const kernel = (file: string): string => host.proc(`sys/kernel/${file}`).trim();
    const labels = [
      ...['domainname', kernel('domainname'), 'machine', machineOf(host)],
      ...['nodename', kernel('hostname'), 'release', kernel('osrelease')],
      ...['sysname', kernel('ostype'), 'version', kernel('version')],
    ];
    return [
      single(
        'node_uname_info',
        'gauge',
        'Labeled system information as provided by the uname system call.',
        1,
        ...labels,
      ),
    ];
  },
};

/** Kernels before 6.1 have no sys/kernel/arch; there the running program's own ELF header tells. */
function machineOf(host: Host): string {
  const told = host.procIfThere('sys/kernel/arch')?.trim();
  if (told !== undefined && told !== '') return told;
  const header = host.procBytes('self/exe', 20);
  return MACHINES[(header[18] ?? 0) | ((header[19] ?? 0) << 8)] ?? 'unknown';
}
