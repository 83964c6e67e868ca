import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { EVERYONE } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { COLLECTORS, registerNodeExporter } from '@pollux/node-exporter';
import { Log } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BINARIES = ['prometheus-node-exporter', 'node_exporter'];
const binary = BINARIES.find((name) => spawnSync(name, ['--version']).error === undefined);
const reason = binary === undefined ? ' (skipped: no node_exporter here; run `npm run peers`)' : '';

/**
 * Families that only one side has, with the reason. A family that appears on one side and is not listed fails the test.
 */
const KNOWN: Readonly<Record<string, string>> = {
  node_filesystem_mount_error: 'added in node_exporter 1.8, beside device_error',
  node_filesystem_purgeable_bytes: 'added in node_exporter 1.9; only ZFS on other systems has it',
  node_nf_conntrack_stat_drop: 'per-CPU statistics of conntrack are not read',
  node_nf_conntrack_stat_early_drop: 'the same',
  node_nf_conntrack_stat_found: 'the same',
  node_nf_conntrack_stat_ignore: 'the same',
  node_nf_conntrack_stat_insert: 'the same',
  node_nf_conntrack_stat_insert_failed: 'the same',
  node_nf_conntrack_stat_invalid: 'the same',
  node_nf_conntrack_stat_search_restart: 'the same',
  node_pressure_irq_stalled_seconds_total: 'added in node_exporter 1.9',
  node_cpu_info: 'off by default',
  node_cpu_core_throttles_total: 'thermal throttling is not read',
  node_cpu_package_throttles_total: 'the same',
  node_cpu_flag_info: 'off by default',
  node_cpu_bug_info: 'off by default',
  node_disk_ata_rotation_rate_rpm: 'ATA details from udev are not read',
  node_disk_ata_write_cache: 'the same',
  node_disk_ata_write_cache_enabled: 'the same',
  node_disk_device_mapper_info: 'device mapper details from udev are not read',
  node_disk_filesystem_info: 'filesystem details from udev are not read',
};

/** Families whose value does not change between two scrapes, so that both sides must show the same series and values. */
const CONSTANT = [
  'node_memory_MemTotal_bytes',
  'node_filesystem_size_bytes',
  'node_filesystem_files',
  'node_filesystem_readonly',
  'node_boot_time_seconds',
  'node_filefd_maximum',
  'node_uname_info',
  'node_os_info',
  'node_os_version',
  'node_time_clocksource_current_info',
  'node_time_clocksource_available_info',
  'node_time_zone_offset_seconds',
  'node_entropy_pool_size_bits',
  'node_network_mtu_bytes',
  'node_network_flags',
  'node_network_info',
  'node_network_up',
];

/** Debian builds other defaults in. */
const UPSTREAM_DEFAULTS = [
  '--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)',
  '--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$',
  '--collector.netdev.device-exclude=^$',
];

type Family = { type: string; help: string; readonly series: Map<string, number> };

function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const of = (name: string): Family => {
    const family = families.get(name) ?? { type: '', help: '', series: new Map() };
    families.set(name, family);
    return family;
  };
  for (const line of text.split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment?.[2] !== undefined) {
      if (comment[1] === 'HELP') of(comment[2]).help = comment[3] ?? '';
      else of(comment[2]).type = comment[3] ?? '';
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample?.[1] === undefined) continue;
    const labels = [...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, name, value]) => `${name}=${value}`)
      .sort();
    of(sample[1]).series.set(labels.join(','), Number(sample[3]));
  }
  return families;
}

function labelNames(family: Family): string[] {
  const names = new Set<string>();
  for (const key of family.series.keys()) {
    for (const pair of key.split(/,(?=\w+=)/)) names.add(pair.split('=')[0] ?? '');
  }
  return [...names].sort();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe.skipIf(binary === undefined)(`against the released node_exporter${reason}`, () => {
  let child: ChildProcess;
  let theirs: Map<string, Family>;
  let ours: Map<string, Family>;

  beforeAll(async () => {
    const port = await freePort();
    const flags = COLLECTORS.map(({ name }) => `--collector.${name}`);
    const at = `--web.listen-address=127.0.0.1:${port}`;
    child = spawn(binary!, [at, '--collector.disable-defaults', ...UPSTREAM_DEFAULTS, ...flags], {
      stdio: 'ignore',
    });
    theirs = parse(await fetchWhenUp(`http://127.0.0.1:${port}/metrics`));
    ours = parse(await ourMetrics());
  });

  afterAll(() => {
    child.kill();
  });

  it('has the same families', () => {
    const interesting = (name: string): boolean => name.startsWith('node_') && !(name in KNOWN);
    const names = (families: Map<string, Family>): string[] =>
      [...families.keys()].filter(interesting).sort();
    expect(names(ours)).toEqual(names(theirs));
  });

  it('gives each family the same type, help and label names', () => {
    for (const [name, family] of ours) {
      const other = theirs.get(name);
      if (other === undefined || !/^(?:node|process|promhttp)_/.test(name)) continue;
      const shape = { name, type: family.type, help: family.help, labels: labelNames(family) };
      expect(shape).toEqual({
        name,
        type: other.type,
        help: other.help,
        labels: labelNames(other),
      });
    }
  });

  it('has the same series in each family', () => {
    for (const [name, family] of ours) {
      const other = theirs.get(name);
      if (other === undefined || !name.startsWith('node_')) continue;
      if (name === 'node_exporter_build_info') continue;
      expect([name, ...[...family.series.keys()].sort()]).toEqual([
        name,
        ...[...other.series.keys()].sort(),
      ]);
    }
  });

  it('shows the same series and values where they are constant', () => {
    for (const name of CONSTANT) {
      const series = (families: Map<string, Family>) =>
        [...(families.get(name)?.series ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      expect([name, series(ours)]).toEqual([name, series(theirs)]);
    }
  });

  it('counts what it counts: counters lie between their scrape and a little later', () => {
    for (const name of ['node_context_switches_total', 'node_forks_total', 'node_intr_total']) {
      const before = theirs.get(name)?.series.get('') ?? Number.NaN;
      const after = ours.get(name)?.series.get('') ?? Number.NaN;
      expect(after).toBeGreaterThanOrEqual(before);
      expect(after - before).toBeLessThan(before * 0.5 + 1e6);
    }
    for (const [labels, before] of theirs.get('node_cpu_seconds_total')?.series ?? []) {
      const after = ours.get('node_cpu_seconds_total')?.series.get(labels) ?? Number.NaN;
      // Idle and iowait may step back a little in the kernel itself.
      expect(after).toBeGreaterThan(before - 1);
      expect(after).toBeLessThan(before + 60);
    }
  });
});

async function fetchWhenUp(url: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (attempt >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function ourMetrics(): Promise<string> {
  const env = nodeEnv();
  const router = new Router({ monotonic: () => 0 });
  registerNodeExporter(router, {
    files: env.files,
    clock: env.clock,
    log: Log.silent(),
    version: 'test',
  });
  const { body } = await router.handler({
    method: 'GET',
    target: '/metrics',
    headers: {},
    remote: { host: '127.0.0.1', port: 1 },
    signal: new AbortController().signal,
    principal: EVERYONE,
    stream: () => {
      throw new Error('not used');
    },
    body: async () => new Uint8Array(0),
  });
  return String(body);
}
