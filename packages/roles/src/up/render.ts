import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  addressOf,
  exampleAddress,
  HOSTS,
  type HostName,
  type Layout,
  type PairedPart,
} from './layout.ts';

const PAIRED_PARTS: readonly PairedPart[] = [
  'server',
  'alertmanager',
  'gossip',
  'node-exporter',
  'store',
];

export type RenderedHost = { readonly config: string; readonly data: string };
export type RenderedPair = {
  readonly directory: string;
  readonly hosts: Readonly<Record<HostName, RenderedHost>>;
  readonly secret: string;
};

/**
 * Copies the example files into `directory`/A/config and /B/config with the addresses of `layout`. They are written anew at
 * each start; the data beside them stays. The sink's secret is made once.
 */
export function renderPair(examples: string, directory: string, layout: Layout): RenderedPair {
  const secretFile = path.join(directory, 'sink-secret');
  mkdirSync(directory, { recursive: true });
  if (!existsSync(secretFile)) {
    writeFileSync(secretFile, `SEC${randomBytes(24).toString('hex')}`, { mode: 0o600 });
  }
  const secret = readFileSync(secretFile, 'utf8').trim();
  const hosts = HOSTS.map((host): [HostName, RenderedHost] => {
    const config = path.join(directory, host, 'config');
    const data = path.join(directory, host, 'data');
    mkdirSync(data, { recursive: true });
    renderTree(examples, config, (text, file) => renderText(text, file, host, layout));
    writeFileSync(path.join(config, 'sink-secret'), secret, { mode: 0o600 });
    return [host, { config, data }];
  });
  return { directory, hosts: Object.fromEntries(hosts) as RenderedPair['hosts'], secret };
}

function renderTree(
  from: string,
  to: string,
  render: (text: string, file: string) => string,
): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = path.join(from, name);
    const target = path.join(to, name);
    if (statSync(source).isDirectory()) renderTree(source, target, render);
    else if (/\.(?:yml|conf)$/.test(name))
      writeFileSync(target, render(readFileSync(source, 'utf8'), name));
  }
}

function renderText(text: string, file: string, host: HostName, layout: Layout): string {
  const replacements = new Map<string, string>();
  for (const part of PAIRED_PARTS) {
    for (const at of HOSTS) replacements.set(exampleAddress(part, at), addressOf(layout, part, at));
  }
  for (const part of ['gateway', 'sink'] as const) {
    replacements.set(exampleAddress(part, 'A'), addressOf(layout, part));
  }
  // The store's file says where it listens itself; every other address in the files is one that somebody else calls.
  if (file === 'influxdb.conf')
    replacements.set(exampleAddress('store', 'A'), addressOf(layout, 'store', host));
  return text.replace(/127\.0\.0\.[12]:\d+/g, (address) => replacements.get(address) ?? address);
}
