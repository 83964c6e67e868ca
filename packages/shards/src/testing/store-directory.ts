import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { ShardStore, type ShardStoreOptions } from '../index.ts';

/** A temporary directory for stores of a test, which may open it again and again. */
export class StoreDirectory {
  readonly path = fs.mkdtempSync(path.join(os.tmpdir(), 'shards-'));
  readonly #stores: ShardStore[] = [];

  async open(options: Partial<ShardStoreOptions> = {}): Promise<ShardStore> {
    const store = await ShardStore.open({
      env: nodeEnv(),
      log: Log.silent(),
      registry: new Registry(),
      directory: `${this.path}/data`,
      walDirectory: null,
      ...options,
    });
    this.#stores.push(store);
    return store;
  }

  /** Closes every store and removes the files. */
  async remove(): Promise<void> {
    for (const store of this.#stores) await store.close();
    fs.rmSync(this.path, { recursive: true, force: true });
  }
}
