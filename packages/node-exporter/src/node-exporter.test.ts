import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EVERYONE, type Files, type HttpRequest, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Router } from '@pollux/http/serving';
import { Log } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  COLLECTORS,
  CollectorRequestError,
  enabledCollectors,
  Host,
  type NodeExporterOptions,
  registerNodeExporter,
} from './index.ts';
import { zoneName } from './zone-name.ts';

const TREE: Readonly<Record<string, string>> = {
  'proc/stat': `cpu  3 0 0 0 0 0 0 0 0 0
cpu0 100 20 30 4000 5 6 7 8 9 10
cpu1 1 0 0 0
intr 12345 0 1 2
ctxt 99
btime 1700000000
processes 7
procs_running 2
procs_blocked 1
softirq 5 1 2
`,
  'proc/meminfo': 'MemTotal:  1000 kB\nActive(anon):   8 kB\nHugePages_Total:  3\n',
  'proc/loadavg': '0.50 1.25 2.00 1/200 12345\n',
  'proc/vmstat': 'nr_free_pages 5\npgpgin 10\npgfault 30\noom_kill 0\n',
  'proc/diskstats': `   8  0 sda 10 1 100 1661 20 2 200 250 3 400 500 6 7 8 900 4 50
   8  1 sda1 1 1 1 1 1 1 1 1 1 1 1
   7  0 loop0 1 1 1 1 1 1 1 1 1 1 1
 259  0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11
`,
  'proc/net/dev': `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
  eth0:100 2 0 0 0 0 0 0 200 3 0 0 0 0 0 0
`,
  'proc/1/mounts': `/dev/sda1 / ext4 rw,relatime 0 0
/dev/sdb1 /mnt/my\\040disk xfs ro,noatime 0 0
/dev/sdc1 /gone ext4 rw 0 0
proc /proc proc rw 0 0
tmpfs /run/credentials/x tmpfs rw 0 0
overlay /o overlay rw 0 0
/dev/sda1 / ext4 rw,relatime 0 0
`,
  'proc/sys/fs/file-nr': '640\t0\t2000\n',
  'proc/sys/kernel/ostype': 'Linux\n',
  'proc/sys/kernel/hostname': 'box\n',
  'proc/sys/kernel/osrelease': '6.1.0\n',
  'proc/sys/kernel/version': '#1 SMP\n',
  'proc/sys/kernel/domainname': '(none)\n',
  'proc/sys/kernel/arch': 'x86_64\n',
  'proc/sys/kernel/random/entropy_avail': '256\n',
  'proc/sys/kernel/random/poolsize': '256\n',
  'proc/pressure/cpu': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n',
  'proc/pressure/io': 'some avg10=0.00 total=2\nfull avg10=0.00 total=1\n',
  'proc/pressure/memory': 'some avg10=0.00 total=0\nfull avg10=0.00 total=0\n',
  'proc/self/stat': `42 (a (strange) name) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 100 4096000 500 ${'0 '.repeat(28)}`,
  'proc/self/limits': 'Max open files            1024                 4096                 files\n',
  'proc/self/fd/0': '',
  'proc/self/fd/1': '',
  'sys/class/net/eth0/operstate': 'up\n',
  'sys/class/net/eth0/mtu': '1500\n',
  'sys/class/net/eth0/speed': '1000\n',
  'sys/class/net/eth0/flags': '0x1003\n',
  'sys/class/net/eth0/address': '02:00:00:00:00:01\n',
  'sys/class/net/eth0/statistics/rx_nohandler': '4\n',
  'sys/class/net/bonding_masters': '\n',
  'sys/devices/system/clocksource/clocksource0/available_clocksource': 'tsc hpet \n',
  'sys/devices/system/clocksource/clocksource0/current_clocksource': 'tsc\n',
  'root/etc/os-release': 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12.4"\n# x\n',
  'udev/b8:0': 'S:disk/by-id/x\nE:ID_MODEL=Fast_Disk\nE:ID_SERIAL_SHORT=S1\nE:ID_WWN=0x5\n',
};

let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-node-'));
  for (const [name, text] of Object.entries(TREE)) {
    fs.mkdirSync(path.dirname(`${directory}/${name}`), { recursive: true });
    fs.writeFileSync(`${directory}/${name}`, text);
  }
});

afterEach(() => fs.rmSync(directory, { recursive: true }));

/** The real files, with filesystems of known size. */
function files(): Files {
  const real = new NodeFiles();
  return Object.assign(Object.create(real) as Files, {
    space: (mountPoint: string) => {
      if (mountPoint.endsWith('/gone')) throw new Error('EIO');
      return {
        freeBytes: 40,
        totalBytes: 100,
        freeBytesForRoot: 45,
        inodeCount: 9,
        freeInodeCount: 4,
      };
    },
  });
}

function exporter(options: Partial<NodeExporterOptions> = {}) {
  const logged: string[] = [];
  const router = new Router({ monotonic: () => 0 });
  registerNodeExporter(router, {
    files: files(),
    clock: new VirtualClock(1_700_000_000_500),
    procPath: `${directory}/proc`,
    sysPath: `${directory}/sys`,
    rootPath: `${directory}/root`,
    udevPath: `${directory}/udev`,
    version: '1.2.3',
    log: new Log({ level: 'info', format: 'logfmt', now: () => 0, write: (l) => logged.push(l) }),
    ...options,
  });
  const get = async (target: string) => {
    const request: HttpRequest = {
      method: 'GET',
      target,
      headers: {},
      remote: { host: '127.0.0.1', port: 1 },
      signal: new AbortController().signal,
      principal: EVERYONE,
      stream: () => {
        throw new Error('not used');
      },
      body: async () => new Uint8Array(0),
    };
    const { status, body } = await router.handler(request);
    return { status, text: String(body) };
  };
  return { get, logged };
}

async function metrics(query = '', options: Partial<NodeExporterOptions> = {}): Promise<string[]> {
  const { text } = await exporter(options).get(`/metrics${query}`);
  return text.split('\n');
}

describe('the collectors', () => {
  it.each([
    ['cpu', 'node_cpu_seconds_total{cpu="0",mode="idle"} 40'],
    ['cpu', 'node_cpu_seconds_total{cpu="1",mode="steal"} 0'],
    ['cpu', 'node_cpu_guest_seconds_total{cpu="0",mode="nice"} 0.1'],
    ['meminfo', 'node_memory_MemTotal_bytes 1024000'],
    ['meminfo', 'node_memory_Active_anon_bytes 8192'],
    ['meminfo', 'node_memory_HugePages_Total 3'],
    ['loadavg', 'node_load1 0.5'],
    ['loadavg', 'node_load15 2'],
    ['stat', 'node_intr_total 12345'],
    ['stat', 'node_boot_time_seconds 1700000000'],
    ['stat', 'node_procs_blocked 1'],
    ['vmstat', 'node_vmstat_pgfault 30'],
    ['diskstats', 'node_disk_read_bytes_total{device="sda"} 51200'],
    ['diskstats', 'node_disk_read_time_seconds_total{device="sda"} 1.661'],
    ['diskstats', 'node_disk_flush_requests_total{device="sda"} 4'],
    ['diskstats', 'node_disk_io_time_weighted_seconds_total{device="nvme0n1"} 0.011'],
    [
      'diskstats',
      'node_disk_info{device="sda",major="8",minor="0",path="",wwn="0x5",model="Fast_Disk",serial="S1",revision=""} 1',
    ],
    ['netdev', 'node_network_receive_multicast_total{device="lo"} 8'],
    ['netdev', 'node_network_transmit_bytes_total{device="eth0"} 200'],
    ['netdev', 'node_network_receive_nohandler_total{device="eth0"} 4'],
    ['netclass', 'node_network_up{device="eth0"} 1'],
    ['netclass', 'node_network_speed_bytes{device="eth0"} 125000000'],
    ['netclass', 'node_network_flags{device="eth0"} 4099'],
    [
      'filesystem',
      'node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 40',
    ],
    [
      'filesystem',
      'node_filesystem_free_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 45',
    ],
    [
      'filesystem',
      'node_filesystem_files_free{device="/dev/sdb1",fstype="xfs",mountpoint="/mnt/my disk"} 4',
    ],
    [
      'filesystem',
      'node_filesystem_readonly{device="/dev/sdb1",fstype="xfs",mountpoint="/mnt/my disk"} 1',
    ],
    [
      'filesystem',
      'node_filesystem_device_error{device="/dev/sdc1",fstype="ext4",mountpoint="/gone"} 1',
    ],
    ['filefd', 'node_filefd_allocated 640'],
    ['filefd', 'node_filefd_maximum 2000'],
    [
      'uname',
      'node_uname_info{domainname="(none)",machine="x86_64",nodename="box",release="6.1.0",sysname="Linux",version="#1 SMP"} 1',
    ],
    ['time', 'node_time_seconds 1700000000.5'],
    ['time', 'node_time_clocksource_current_info{clocksource="tsc",device="0"} 1'],
    ['os', 'node_os_version{id="debian",id_like="",name="Debian GNU/Linux"} 12.4'],
    ['pressure', 'node_pressure_cpu_waiting_seconds_total 1.5'],
    ['entropy', 'node_entropy_available_bits 256'],
  ])('%s gives %s', async (collector, line) => {
    expect(await metrics(`?collect[]=${collector}`)).toContain(line);
  });

  it('leave out what node_exporter leaves out by default', async () => {
    const text = (await metrics()).join('\n');
    for (const part of [
      '"sda1"',
      '"loop0"',
      '"/proc"',
      'overlay',
      'credentials',
      'nr_free_pages',
      'bonding',
    ]) {
      expect(text).not.toContain(`${part}`);
    }
    expect(text).toContain('fstype="ext4",mountpoint="/"');
  });

  it('give help and type once per family, and each series once', async () => {
    const lines = (await metrics()).filter((line) => line !== '');
    const comments = lines.filter((line) => line.startsWith('#'));
    expect(new Set(comments).size).toBe(comments.length);
    const series = lines
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/ \S+$/, ''));
    expect(new Set(series).size).toBe(series.length);
    expect(lines).toContain('# TYPE node_vmstat_pgfault untyped');
    expect(lines).toContain('# HELP node_load5 5m load average.');
  });

  it('fail alone: the scrape goes on, the failure is a metric and a log line', async () => {
    fs.rmSync(`${directory}/proc/meminfo`);
    fs.writeFileSync(`${directory}/proc/loadavg`, 'nonsense\n');
    const { get, logged } = exporter();
    const { status, text } = await get('/metrics');
    expect(status).toBe(200);
    expect(text).toContain('node_scrape_collector_success{collector="meminfo"} 0');
    expect(text).toContain('node_scrape_collector_success{collector="loadavg"} 0');
    expect(text).toContain('node_scrape_collector_success{collector="cpu"} 1');
    expect(text).toContain('node_procs_running 2');
    expect(text).not.toContain('node_load1');
    expect(logged.join('\n')).toMatch(/collector=loadavg err=.*no number/);
  });
});

describe('the name of the time zone', () => {
  it.each([
    ['CET-1CEST,M3.5.0,M10.5.0/3', 3_600, 'CET'],
    ['CET-1CEST,M3.5.0,M10.5.0/3', 7_200, 'CEST'],
    ['EST5EDT,M3.2.0,M11.1.0', -18_000, 'EST'],
    ['IST-5:30', 19_800, 'IST'],
    ['<+0545>-5:45', 20_700, '+0545'],
    ['UTC0', 0, 'UTC'],
    ['nonsense', -12_600, '-0330'],
    ['CET-1CEST,M3.5.0,M10.5.0/3', 0, 'UTC'],
  ])('comes from the rule %s at %d s', (rule, offsetSeconds, name) => {
    fs.writeFileSync(`${directory}/root/etc/localtime`, `TZif2\0\0binary\n${rule}\n`);
    const host = new Host({
      files: files(),
      clock: new VirtualClock(),
      rootPath: `${directory}/root`,
    });
    expect(zoneName(host, offsetSeconds)).toBe(name);
  });
});

describe('choosing collectors', () => {
  it('runs those that collect[] names, or all but those that exclude[] names', async () => {
    const some = await metrics('?collect[]=loadavg&collect[]=stat');
    expect(some.filter((line) => line.startsWith('node_scrape_collector_success'))).toHaveLength(2);
    const most = await metrics('?exclude[]=loadavg');
    expect(most.filter((line) => line.startsWith('node_scrape_collector_success'))).toHaveLength(
      COLLECTORS.length - 1,
    );
  });

  it('answers 400 to a collector that is not there or not enabled', async () => {
    const { get } = exporter({ collectors: { cpu: false } });
    for (const query of ['?collect[]=nope', '?collect[]=cpu', '?collect[]=stat&exclude[]=os']) {
      expect((await get(`/metrics${query}`)).status).toBe(400);
    }
  });

  it('follows the flags, and refuses one that names no collector', () => {
    const names = (flags: Record<string, boolean>, none = false): string[] =>
      enabledCollectors(COLLECTORS, flags, none).map(({ name }) => name);
    expect(names({ cpu: false })).not.toContain('cpu');
    expect(names({ stat: true }, true)).toEqual(['stat']);
    expect(() => names({ nope: true })).toThrow(CollectorRequestError);
  });
});

describe('the exporter itself', () => {
  it('shows its own process and requests, unless told not to', async () => {
    const lines = await metrics();
    expect(lines).toContain('process_cpu_seconds_total 3');
    expect(lines).toContain('process_resident_memory_bytes 2048000');
    expect(lines).toContain('process_start_time_seconds 1700000001');
    expect(lines).toContain('process_open_fds 2');
    expect(lines).toContain('process_max_fds 1024');
    expect(lines).toContain('promhttp_metric_handler_requests_in_flight 1');
    expect(lines.join('\n')).toContain('version="1.2.3"} 1');
    const without = (await metrics('', { disableExporterMetrics: true })).join('\n');
    expect(without).not.toContain('process_');
    expect(without).not.toContain('promhttp_');
  });

  it('links its metrics from the landing page, wherever they are', async () => {
    const { get } = exporter({ telemetryPath: '/m' });
    expect((await get('/')).text).toContain('<a href="/m">');
    expect((await get('/m')).text).toContain('node_load1 0.5');
  });
});
