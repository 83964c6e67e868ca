import { errorText, type Timer } from '@pollux/base';
import {
  type Decoder,
  list,
  object,
  optional,
  parsed,
  parseYaml,
  refuse,
  required,
  strictContext,
  string,
} from '@pollux/config';
import { LabelsBuilder, parseDuration } from '@pollux/model';
import { nodeIdentity } from '../config/node-identity.ts';
import { refuseNull, writtenGroups } from '../config/target-groups.ts';
import type {
  Discoverer,
  DiscovererDeps,
  EmitGroups,
  Mechanism,
  ProviderSpec,
  TargetGroup,
} from '../discoverer.ts';
import { directoryOf, expandGlob } from './glob.ts';

const FILE_PATH_LABEL = '__meta_filepath';
const FILE_NAME = /^[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/;
/** Editors write in several steps; one read after the last of them is enough. */
const SETTLE_MS = 100;
/** Larger target files are refused; no list of targets comes near it. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

type FileSettings = { readonly patterns: readonly string[]; readonly refreshMs: number };

/** Reads target groups from files, again on every change of their folders and every refresh interval. */
class FileDiscoverer implements Discoverer {
  readonly #settings: FileSettings;
  readonly #deps: DiscovererDeps;
  /** Number of groups last read per file, so that vanished ones can be taken back. */
  readonly #groupCounts = new Map<string, number>();

  constructor(settings: FileSettings, deps: DiscovererDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  start(emit: EmitGroups, signal: AbortSignal): void {
    const { clock, files } = this.#deps.env;
    let pending: Timer | null = null;
    let refresh: Timer | null = null;
    const read = (): void => {
      if (signal.aborted) return;
      refresh?.cancel();
      refresh = clock.after(this.#settings.refreshMs, read);
      this.#readAll(emit);
    };
    const onChange = (): void => {
      pending?.cancel();
      pending = clock.after(SETTLE_MS, read);
    };
    const stops = this.#watchedDirectories().flatMap((directory) => {
      try {
        return [files.watch(directory, onChange)];
      } catch (error) {
        // The folder may come later; until then the refresh interval finds it.
        this.#deps.log.warn('cannot watch folder of target files', {
          directory,
          err: errorText(error),
        });
        return [];
      }
    });
    signal.addEventListener(
      'abort',
      () => {
        pending?.cancel();
        refresh?.cancel();
        for (const stop of stops) stop();
      },
      { once: true },
    );
    read();
  }

  #watchedDirectories(): string[] {
    const paths = this.#settings.patterns.map((pattern) => this.#deps.resolvePath(pattern));
    return [...new Set(paths.map(directoryOf))];
  }

  #readAll(emit: EmitGroups): void {
    const { env, metrics } = this.#deps;
    const startMs = env.clock.monotonic();
    const groups: TargetGroup[] = [];
    const seen = new Set<string>();
    for (const pattern of this.#settings.patterns) {
      for (const path of this.#expand(pattern)) {
        if (seen.has(path)) continue;
        seen.add(path);
        groups.push(...this.#readFile(path));
      }
    }
    for (const [path, count] of this.#groupCounts) {
      if (seen.has(path)) continue;
      for (let index = 0; index < count; index++) groups.push(emptyGroup(path, index));
      this.#groupCounts.delete(path);
      metrics.fileModifiedSeconds.remove(path);
    }
    metrics.fileScanDuration.observe((env.clock.monotonic() - startMs) / 1_000);
    emit(groups);
  }

  #expand(pattern: string): string[] {
    try {
      return expandGlob(this.#deps.env.files, this.#deps.resolvePath(pattern));
    } catch (error) {
      this.#deps.log.error('error expanding glob', { pattern, err: errorText(error) });
      return [];
    }
  }

  /** The file's groups and empty ones for those it had before; nothing when it cannot be read, so the old ones stay. */
  #readFile(path: string): TargetGroup[] {
    const { env, log, metrics } = this.#deps;
    try {
      const stat = env.files.stat(path);
      if (stat.size > MAX_FILE_BYTES) throw new RangeError(`more than ${MAX_FILE_BYTES} bytes`);
      const text = new TextDecoder().decode(env.files.readFile(path));
      const written = writtenGroups(parseYaml(text, path), '', strictContext());
      metrics.fileModifiedSeconds.with(path).set(stat.modifiedMs / 1_000);
      const groups: TargetGroup[] = written.map(({ targets, labels }, index) => ({
        source: `${path}:${index}`,
        targets,
        labels: new LabelsBuilder(labels).set(FILE_PATH_LABEL, path).build(),
      }));
      const before = this.#groupCounts.get(path) ?? 0;
      this.#groupCounts.set(path, written.length);
      for (let index = written.length; index < before; index++)
        groups.push(emptyGroup(path, index));
      return groups;
    } catch (error) {
      metrics.fileReadErrors.inc();
      log.error('error reading file', { path, err: errorText(error) });
      // A file with a fault was seen: its last good groups go on.
      if (!this.#groupCounts.has(path)) this.#groupCounts.set(path, 0);
      return [];
    }
  }
}

function emptyGroup(path: string, index: number): TargetGroup {
  return { source: `${path}:${index}`, targets: [], labels: new LabelsBuilder().build() };
}

const fileName: Decoder<string> = (node, path, context) => {
  const name = string(node, path, context);
  if (!FILE_NAME.test(name)) {
    refuse(
      node,
      path,
      `path name "${name}" is not valid for file discovery; it must end in .json, .yml or .yaml and may have one * in its last part`,
    );
  }
  return name;
};

const fileConfig = object({
  files: required(list(fileName)),
  refresh_interval: optional(parsed(parseDuration), 300_000),
});

const fileProvider: Decoder<ProviderSpec> = (node, path, context) => {
  refuseNull(node, path);
  const { files, refresh_interval: refreshMs } = fileConfig(node, path, context);
  if (files.length === 0)
    refuse(node, path, 'file service discovery config must contain at least one path name');
  if (refreshMs <= 0) refuse(node, path, 'refresh_interval must be greater than zero');
  return {
    mechanism: 'file',
    identity: `file${nodeIdentity(node)}`,
    create: (deps) => new FileDiscoverer({ patterns: files, refreshMs }, deps),
  };
};

/** `file_sd_configs`. */
export const fileSdConfigs: Decoder<readonly ProviderSpec[]> = list(fileProvider);

export const fileMechanism: Mechanism = {
  name: 'file',
  configKey: 'file_sd_configs',
  decoder: fileSdConfigs,
};
