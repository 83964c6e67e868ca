import { type Clock, type FileSpace, type Files, OperatingError, systemCode } from '@pollux/base';

/** Largest file of proc or sys that is read. */
const MAX_BYTES = 4 * 1024 * 1024;
const decoder = new TextDecoder();

/** A file of proc or sys that does not look as expected. */
export class HostFormatError extends OperatingError {
  constructor(path: string, what: string) {
    super('NODE_EXPORTER.FORMAT', `${path}: ${what}`);
  }
}

/** What the collectors leave out; `roles` sets these from flags, the defaults are node_exporter's. */
export type Exclusions = {
  readonly mountPoint: (path: string) => boolean;
  readonly filesystemType: (type: string) => boolean;
  readonly disk: (device: string) => boolean;
  readonly networkDevice: (device: string) => boolean;
};

export const DEFAULT_EXCLUSIONS: Exclusions = {
  mountPoint: (path) =>
    /^\/(?:dev|proc|run\/credentials\/.+|sys|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)(?:$|\/)/.test(
      path,
    ),
  filesystemType: (type) => IGNORED_TYPES.has(type),
  disk: (device) => /^(?:(?:z?ram|loop|fd|(?:h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+)$/.test(device),
  networkDevice: () => false,
};

const IGNORED_TYPES = new Set([
  'autofs',
  'binfmt_misc',
  'bpf',
  'cgroup',
  'cgroup2',
  'configfs',
  'debugfs',
  'devpts',
  'devtmpfs',
  'fusectl',
  'hugetlbfs',
  'iso9660',
  'mqueue',
  'nsfs',
  'overlay',
  'proc',
  'procfs',
  'pstore',
  'rpc_pipefs',
  'securityfs',
  'selinuxfs',
  'squashfs',
  'erofs',
  'sysfs',
  'tracefs',
]);

export type HostOptions = {
  readonly files: Files;
  readonly clock: Clock;
  /** `--path.procfs`, `--path.sysfs`, `--path.rootfs`, `--path.udev.data`. */
  readonly procPath?: string;
  readonly sysPath?: string;
  readonly rootPath?: string;
  readonly udevPath?: string;
  readonly exclusions?: Partial<Exclusions>;
};

/** The machine as the collectors see it: its proc, sys and root directories, and its clock. */
export class Host {
  readonly clock: Clock;
  readonly exclusions: Exclusions;
  readonly #files: Files;
  readonly #proc: string;
  readonly #sys: string;
  readonly #root: string;
  readonly #udev: string;
  #buffer = new Uint8Array(64 * 1024);

  constructor(options: HostOptions) {
    this.clock = options.clock;
    this.exclusions = { ...DEFAULT_EXCLUSIONS, ...options.exclusions };
    this.#files = options.files;
    this.#proc = options.procPath ?? '/proc';
    this.#sys = options.sysPath ?? '/sys';
    this.#root = options.rootPath ?? '/';
    this.#udev = options.udevPath ?? '/run/udev/data';
  }

  /** Text of a file below proc. */
  proc(name: string): string {
    return this.#text(`${this.#proc}/${name}`);
  }

  sys(name: string): string {
    return this.#text(`${this.#sys}/${name}`);
  }

  /** Null when the file is not there or has nothing to say (some of sys answer EINVAL or ENODEV). */
  procIfThere(name: string): string | null {
    return this.#ifThere(`${this.#proc}/${name}`);
  }

  sysIfThere(name: string): string | null {
    return this.#ifThere(`${this.#sys}/${name}`);
  }

  rootIfThere(name: string): string | null {
    return this.#ifThere(this.inRoot(name));
  }

  udevIfThere(name: string): string | null {
    return this.#ifThere(`${this.#udev}/${name}`);
  }

  sysList(name: string): string[] {
    return this.#files.list(`${this.#sys}/${name}`);
  }

  procList(name: string): string[] {
    return this.#files.list(`${this.#proc}/${name}`);
  }

  /** The first bytes of a binary file below proc. */
  procBytes(name: string, count: number): Uint8Array {
    const file = this.#files.open(`${this.#proc}/${name}`, 'r');
    try {
      const bytes = new Uint8Array(count);
      return bytes.subarray(0, file.read(bytes, 0, count, 0));
    } finally {
      file.close();
    }
  }

  /** Where a path of the machine lies for this process: `--path.rootfs` in front of it. */
  inRoot(path: string): string {
    return this.#root === '/' ? path : `${this.#root.replace(/\/+$/, '')}${path}`;
  }

  /** A path as the machine knows it: without `--path.rootfs`. */
  outOfRoot(path: string): string {
    const root = this.#root.replace(/\/+$/, '');
    if (root === '') return path;
    if (path === root) return '/';
    return path.startsWith(`${root}/`) ? path.slice(root.length) : path;
  }

  space(path: string): FileSpace {
    return this.#files.space(path);
  }

  #ifThere(path: string): string | null {
    try {
      return this.#text(path);
    } catch (error) {
      if (systemCode(error) === '') throw error;
      return null;
    }
  }

  /**
   * Files of proc have no size to go by; one buffer serves all reads, since a new one for each would be most of what a
   * scrape allocates.
   */
  #text(path: string): string {
    const file = this.#files.open(path, 'r');
    try {
      for (;;) {
        const size = file.read(this.#buffer, 0, this.#buffer.length, 0);
        if (size < this.#buffer.length) return decoder.decode(this.#buffer.subarray(0, size));
        if (size >= MAX_BYTES) throw new HostFormatError(path, `larger than ${MAX_BYTES} bytes`);
        this.#buffer = new Uint8Array(size * 2);
      }
    } finally {
      file.close();
    }
  }
}

/** Lines without the empty ones. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

export function wordsOf(line: string): string[] {
  return line.trim().split(/\s+/);
}

/** A number that must be one; `path` names the file for the error. */
export function numberOf(text: string | undefined, path: string): number {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw new HostFormatError(path, `"${text ?? ''}" is no number`);
  return value;
}
