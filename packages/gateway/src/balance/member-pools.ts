import type { Env, Files, HttpPool, TlsClientOptions } from '@pollux/base';
import type { Upstream } from '../upstream.ts';
import type { GroupConfig } from './group-config.ts';

/** The connections to the members of one group, opened at the first request to each. */
export class MemberPools {
  readonly #env: Env;
  readonly #group: GroupConfig;
  readonly #pools = new Map<Upstream, HttpPool>();
  /** Read when it is made, so that a missing file is an error of the configuration. */
  readonly tls: TlsClientOptions | undefined;

  constructor(env: Env, group: GroupConfig) {
    this.#env = env;
    this.#group = group;
    this.tls = group.tls === null ? undefined : clientTls(env.files, group.tls);
  }

  of(member: Upstream): HttpPool {
    const known = this.#pools.get(member);
    if (known !== undefined) return known;
    const { connect_timeout, keepalive_timeout } = this.#group;
    const opened = this.#env.net.openPool({
      origin: new URL(member.url).origin,
      connectTimeoutMs: connect_timeout,
      keepAliveMs: keepalive_timeout,
      ...(this.tls === undefined ? {} : { tls: this.tls }),
    });
    this.#pools.set(member, opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    this.#pools.clear();
  }
}

function clientTls(files: Files, tls: NonNullable<GroupConfig['tls']>): TlsClientOptions {
  const read = (path: string): string => new TextDecoder().decode(files.readFile(path));
  return {
    ...(tls.ca_file === '' ? {} : { ca: read(tls.ca_file) }),
    ...(tls.cert_file === '' ? {} : { certificate: read(tls.cert_file) }),
    ...(tls.key_file === '' ? {} : { key: read(tls.key_file) }),
    ...(tls.server_name === '' ? {} : { serverName: tls.server_name }),
    ...(tls.insecure_skip_verify ? { insecureSkipVerify: true } : {}),
  };
}
