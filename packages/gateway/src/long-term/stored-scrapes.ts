import type { Env, HttpPool } from '@pollux/base';
import type { ScrapesSource } from '../plain/read-plain-past.ts';
import { MemberReader } from '../splice/member-reader.ts';
import { settingsOfAny } from '../splice/member-settings.ts';
import { candidates, type Upstream } from '../upstream.ts';

const TIMEOUT_MS = 60_000;

/** What a store has of the servers' scrapes. Where they reach back to the beginning of what is looked at, it is taken to have all before. */
export function storedScrapes(options: {
  readonly env: Env;
  readonly pool: HttpPool;
  readonly store: Upstream;
  readonly storePath: string;
  /** Whose samples they are. */
  readonly servers: readonly Upstream[];
}): ScrapesSource {
  const { env, pool, store, storePath, servers } = options;
  return {
    isStore: true,
    // Their configuration says which of the store's series are theirs.
    isReady: () => candidates(servers).length > 0,
    lowestMs: async () => Number.NEGATIVE_INFINITY,
    open: async (signal) => {
      const how = { net: env.net, headers: {}, timeoutMs: TIMEOUT_MS, signal };
      const settings = await settingsOfAny(servers, how);
      return new MemberReader({
        pool,
        upstream: store,
        headers: {},
        timeoutMs: TIMEOUT_MS,
        settings,
        replicaLabels: [],
        storePath,
        onFailure: () => {},
      });
    },
  };
}
