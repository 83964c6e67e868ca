import { spawnSync } from 'node:child_process';

/** What may be asked: what 2.42 and 3.x share, or all that 3.x has. */
export type Dialect = '2.42' | '3.x';

/** The Prometheus that judges. */
export type Peer = {
  readonly binary: string;
  /** As it says itself; empty for a build from sources that was given none. */
  readonly version: string;
  readonly dialect: Dialect;
};

/** Asks the binary what it is. Throws when it is no Prometheus. */
export function peerOf(binary: string): Peer {
  const { stdout, stderr, error } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${binary} does not run`, { cause: error });
  const match = /^prometheus, version (\S*)/m.exec(stdout + stderr);
  if (match === null) throw new Error(`${binary} is no Prometheus`);
  const version = match[1]!;
  return { binary, version, dialect: /^[0-2]\./.test(version) ? '2.42' : '3.x' };
}
