import { errorText } from '@pollux/base';
import type { RunningRole } from '@pollux/roles';
import { role as storeRole } from '@pollux/roles/store';
import type { SimHost, SimWorld } from '../sim-world.ts';
import { startRole } from './simulated-role.ts';

export const STORES = ['store-a', 'store-b'] as const;
const DATABASE = 'prometheus';
const STORE_PORT = 8086;
const DATA = '/data';

/** Two stores that every server of a world writes to. */
export class PairStores {
  readonly #world: SimWorld;
  readonly #hosts = new Map<string, SimHost>();
  readonly #roles = new Map<string, Promise<RunningRole>>();
  readonly #onLog: (line: string) => void;

  constructor(world: SimWorld, onLog: (line: string) => void) {
    this.#world = world;
    this.#onLog = onLog;
    for (const name of STORES) this.#hosts.set(name, world.addHost(name));
  }

  start(name: string): void {
    if (this.#roles.has(name)) return;
    const role = startRole(this.#hosts.get(name)!, storeRole, {
      hostname: name,
      flags: [`--data.dir=${DATA}`, `--http.bind-address=0.0.0.0:${STORE_PORT}`],
      variables: { INFLUXDB_DB: DATABASE },
      onLog: this.#onLog,
    });
    role.catch((error: unknown) => this.#onLog(`${name} | did not start: ${errorText(error)}`));
    this.#roles.set(name, role);
  }

  /** Power loss: what it has acknowledged it must have. */
  crash(name: string): void {
    if (this.#roles.delete(name)) this.#hosts.set(name, this.#world.crash(name, 'some'));
  }

  async end(): Promise<void> {
    await Promise.all([...this.#roles.values()].map(async (role) => (await role).close()));
  }
}

/** Where a store takes and gives samples, for servers' `remote_write` and `remote_read`. */
export function storeUrl(name: string, way: 'read' | 'write'): string {
  return `http://${name}:${STORE_PORT}/api/v1/prom/${way}?db=${DATABASE}`;
}
