import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statfsSync } from 'node:fs';
import { HOSTS, type HostName } from '@pollux/roles/up';

/** The network of a run: the user and what is monitored have the first address, each host one of its own. */
const USER_ADDRESS = '10.99.0.1';
const HOST_ADDRESSES = { A: '10.99.0.11', B: '10.99.0.12' } as const;
const BRIDGE = 'chaos';
/** Nothing is taken of it before it is used; servers leave a gigabyte free. */
const DISK_SIZE = '4g';
/** The size is set to what is used just now; a writer may be faster. */
const SHRINK_ATTEMPTS = 50;

/**
 * A network namespace and a file system in memory for each host, so that links, the way between the hosts and disks can be taken away
 * as they are in truth: packets vanish, writes fail with ENOSPC. The process must have been started in network and mount namespaces of
 * its own (`tools/chaos.mjs` does where that is permitted): all of it is gone when the process is.
 */
export class Isolation {
  readonly userAddress = USER_ADDRESS;
  readonly addresses: Readonly<Record<HostName, string>> = HOST_ADDRESSES;
  readonly #holders: Readonly<Record<HostName, ChildProcess>>;
  readonly #disks = new Map<HostName, string>();

  private constructor(holders: Readonly<Record<HostName, ChildProcess>>) {
    this.#holders = holders;
  }

  static async open(): Promise<Isolation> {
    run('ip', 'link', 'set', 'lo', 'up');
    run('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
    run('ip', 'address', 'add', `${USER_ADDRESS}/24`, 'dev', BRIDGE);
    run('ip', 'link', 'set', BRIDGE, 'up');
    const isolation = new Isolation({ A: await holder(), B: await holder() });
    for (const host of HOSTS) isolation.#connect(host);
    return isolation;
  }

  /** Words that start a command on a host; the process is the command itself. */
  enter(host: HostName): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#holders[host].pid}/ns/net`, '--'];
  }

  /** Gives a host a disk of its own at a directory. */
  mount(host: HostName, directory: string): void {
    mkdirSync(directory, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'tmpfs', directory);
    this.#disks.set(host, directory);
  }

  /** Nothing reaches the host any more, and nothing leaves it; nobody is told. */
  cut(host: HostName): void {
    run('ip', 'link', 'set', portOf(host), 'down');
  }

  mend(host: HostName): void {
    run('ip', 'link', 'set', portOf(host), 'up');
  }

  /** The hosts no longer reach each other, while users and targets reach both. */
  part(): void {
    for (const host of HOSTS) run('bridge', 'link', 'set', 'dev', portOf(host), 'isolated', 'on');
  }

  join(): void {
    for (const host of HOSTS) run('bridge', 'link', 'set', 'dev', portOf(host), 'isolated', 'off');
  }

  /** Leaves no room on a host's disk. */
  fill(host: HostName): void {
    const directory = this.#disk(host);
    for (let attempt = 1; ; attempt++) {
      const { blocks, bfree, bsize } = statfsSync(directory);
      try {
        run('mount', '-o', `remount,size=${(blocks - bfree) * bsize}`, directory);
        return;
      } catch (error) {
        // More was written since it was asked how much is used.
        if (attempt === SHRINK_ATTEMPTS) throw error;
      }
    }
  }

  makeRoom(host: HostName): void {
    run('mount', '-o', `remount,size=${DISK_SIZE}`, this.#disk(host));
  }

  async close(): Promise<void> {
    for (const directory of this.#disks.values()) run('umount', '--lazy', directory);
    for (const child of Object.values(this.#holders)) {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, 'exit');
    }
    run('ip', 'link', 'delete', BRIDGE);
  }

  #disk(host: HostName): string {
    const directory = this.#disks.get(host);
    if (directory === undefined) throw new RangeError(`host ${host} has no disk of its own`);
    return directory;
  }

  #connect(host: HostName): void {
    const port = portOf(host);
    const inside = `inside-${host}`;
    run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', inside);
    run('ip', 'link', 'set', inside, 'netns', String(this.#holders[host].pid));
    run('ip', 'link', 'set', port, 'master', BRIDGE, 'up');
    const there = (...words: readonly string[]): void => run(...this.enter(host), ...words);
    there('ip', 'link', 'set', 'lo', 'up');
    there('ip', 'address', 'add', `${HOST_ADDRESSES[host]}/24`, 'dev', inside);
    there('ip', 'link', 'set', inside, 'up');
  }
}

function portOf(host: HostName): string {
  return `chaos-${host}`;
}

/** A process that keeps a network namespace for as long as this one lives: it reads from its pipe. */
async function holder(): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

function run(...words: readonly string[]): void {
  const [program = '', ...rest] = words;
  execFileSync(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
}
