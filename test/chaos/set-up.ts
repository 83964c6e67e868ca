import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { addressOf, type Command, HOSTS, type HostName, type Layout } from '@pollux/roles/up';
import type { RoleName } from './plan.ts';
import type { SetUpName } from './record.ts';
import type { Targets } from './targets.ts';
import { TARGETS } from './targets.ts';
import {
  EVALUATION_MS,
  FOR_MS,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  SCRAPE_MS,
  SCRAPE_TIMEOUT_MS,
} from './times.ts';

/** One way to make two hosts into a pair: its processes, and where a user finds it. */
export type SetUp = {
  readonly name: SetUpName;
  /** What a command's `role` is an argument of. */
  readonly program: readonly string[];
  /** Their names are `A/server` and so on. */
  readonly commands: readonly Command[];
  /** Where the one address may lead, in this order. */
  readonly entries: readonly Entry[];
  /** Remote read of each long-term store. */
  readonly stores: Readonly<Record<string, string>>;
  /** What a server keeps on disk. */
  readonly serverData: Readonly<Record<HostName, string>>;
  /** Labels that tell replicas apart. */
  readonly replicaLabels: readonly string[];
  /** Where servers say what they lack; null for those that do not. */
  readonly coveragePath: string | null;
  /** What remains to be done once all parts answer. */
  readonly prepare: () => Promise<void>;
};

export type Entry = { readonly host: HostName; readonly url: string };

export type Site = {
  readonly layout: Layout;
  readonly directory: string;
  readonly targets: Targets;
  /** Takes notifications; `?name=` tells who sent one. */
  readonly hookUrl: string;
  /** A further free port of a host. */
  readonly freePort: (host: HostName) => Promise<number>;
};

/** Writes a configuration file of a host and gives its path. */
export function configFile(site: Site, host: HostName, name: string, text: string): string {
  const file = path.join(site.directory, host, 'config', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

export function dataDirectory(site: Site, host: HostName, role: RoleName): string {
  const directory = path.join(site.directory, host, 'data', role);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * `prometheus.yml` of a host with its rules; `further` is what only one of the set-ups has. Both hosts' files are equal but for the
 * replica: which port of the targets is whose stands in a file of its own.
 */
export function serverConfig(
  site: Site,
  host: HostName,
  further: { readonly global: readonly string[]; readonly remote: readonly string[] },
): string {
  configFile(
    site,
    host,
    'rules.yml',
    `groups:
  - name: chaos
    rules:
      - alert: ChaosAlarm
        expr: chaos_alarm == 1
        for: ${FOR_MS}ms
`,
  );
  const managers = HOSTS.map((at) => `'${addressOf(site.layout, 'alertmanager', at)}'`);
  const groups = TARGETS.map((name) => ({
    targets: [site.targets.address(host)],
    labels: { instance: name, __metrics_path__: `/${name}` },
  }));
  configFile(site, host, 'targets.json', JSON.stringify(groups));
  return configFile(
    site,
    host,
    'prometheus.yml',
    [
      'global:',
      `  scrape_interval: ${SCRAPE_MS}ms`,
      `  scrape_timeout: ${SCRAPE_TIMEOUT_MS}ms`,
      `  evaluation_interval: ${EVALUATION_MS}ms`,
      ...further.global.map((line) => `  ${line}`),
      'rule_files: [rules.yml]',
      'alerting:',
      '  alert_relabel_configs:',
      '    - {action: labeldrop, regex: prometheus_replica}',
      '  alertmanagers:',
      `    - static_configs: [{targets: [${managers.join(', ')}]}]`,
      'scrape_configs:',
      '  - job_name: chaos',
      '    file_sd_configs: [{files: [targets.json]}]',
      ...further.remote,
      '',
    ].join('\n'),
  );
}

export function alertmanagerConfig(site: Site, host: HostName): string {
  return configFile(
    site,
    host,
    'alertmanager.yml',
    `route:
  receiver: chaos
  group_by: [alertname, id]
  group_wait: ${GROUP_WAIT_MS}ms
  group_interval: ${GROUP_INTERVAL_MS}ms
  repeat_interval: 4h
receivers:
  - name: chaos
    webhook_configs:
      - {url: '${site.hookUrl}/?name=${host}', send_resolved: true}
`,
  );
}
