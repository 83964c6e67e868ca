import type { RoleModule } from '@pollux/roles';

/**
 * Every role, loaded only when it is asked for: a node-exporter must not carry a query engine in memory. A new role is one
 * folder in the roles room and one row here.
 */
export const ROLES: Readonly<Record<string, () => Promise<{ readonly role: RoleModule }>>> = {
  server: () => load(import('@pollux/roles/server')),
  alertmanager: () => load(import('@pollux/roles/alertmanager')),
  store: () => load(import('@pollux/roles/store')),
  gateway: () => load(import('@pollux/roles/gateway')),
  'node-exporter': () => load(import('@pollux/roles/node-exporter')),
  adapter: () => load(import('@pollux/roles/adapter')),
  sink: () => load(import('@pollux/roles/sink')),
  up: () => load(import('@pollux/roles/up')),
};

/** The young generation stays at its first size instead of growing to 16 MB per half. */
const SMALL_YOUNG_GENERATION = '--semi-space-growth-factor=1';
/**
 * Halves of the young generation of threads begin with 4 MB, or with what their options allow: 1 MB for most, 2 MB for those of
 * queries, which make many short-lived labels and texts. They could not grow to it, since the setting above holds for the
 * whole process; the main thread has been set up before and stays as it is.
 */
const YOUNG_OF_THREADS = '--min-semi-space-size=4';
/** The old generation is collected after less growth; costs a processor more where many objects live long. */
const EARLY_COLLECTION = '--optimize-for-size';

/**
 * The optimising compiler takes less of what a function calls into its code (by default 920 bytes of bytecode). It is over sooner, which is
 * a tenth of what the first 100,000 series of a server cost (6.2 to 5.6 µs a series, nine runs of each in turn); queries and known
 * samples are no slower. Three alertmanagers at 200 new groups a second for 6 s took 5.6 s of processor time per 1,000 instead of 6.4, and 100,000
 * alerts to one no more than before.
 */
const LITTLE_INLINING = '--max-inlined-bytecode-size-cumulative=400';

/**
 * Code is optimised after less work than the engine asks for (67,584 bytes of bytecode): the first thousand requests of a dashboard
 * run in code that has only begun to run. Queries of 1 to 64 series took 0.9 of the main thread's time with it in their first 900
 * requests, all of 24 queries 0.95; new series as much as before. The first 100,000 alerts took 0.95 of the thread's time.
 */
const EARLY_OPTIMISATION = '--interrupt-budget=20000';

/**
 * Engine settings, set before a role's code is loaded. Measured on Node 20.20 in a pair at 1 s scrapes, MB resident after
 * some minutes: store 116 without and 88 with, gateway 117 and 89, server 150 and 114; a store's writes took 1.9 to 2.1 s of processor
 * time instead of 1.8, the database's benchmark no more than before. Without the optimising compiler, which roles that do
 * little can spare, a node-exporter saves 14 MB more. EARLY_COLLECTION is not for roles whose heap may be large: creating
 * series became half as slow again with it, taking 100,000 alerts too (25.9 µs of processor time each with it, 17.9 without;
 * resident after all were read 147 and 173 MB).
 */
export const ENGINE_FLAGS: Readonly<Record<string, readonly string[]>> = {
  alertmanager: [SMALL_YOUNG_GENERATION, LITTLE_INLINING, EARLY_OPTIMISATION],
  gateway: [SMALL_YOUNG_GENERATION],
  server: [SMALL_YOUNG_GENERATION, YOUNG_OF_THREADS, LITTLE_INLINING, EARLY_OPTIMISATION],
  store: [SMALL_YOUNG_GENERATION],
  'node-exporter': ['--no-opt', SMALL_YOUNG_GENERATION, EARLY_COLLECTION],
  sink: ['--no-opt', SMALL_YOUNG_GENERATION, EARLY_COLLECTION],
  up: ['--no-opt', SMALL_YOUNG_GENERATION, EARLY_COLLECTION],
};

/**
 * Halves of the young generation of roles that may come to have much work, MiB, while they have it. Three alertmanagers at 200
 * new groups a second, processor time per 1,000 and resident at the end, on a busy machine: 6.0 s and 304 MB with 1, 5.9 and
 * 300 with 2, 5.3 and 316 with 4, 5.5 and 419 with 16.
 */
export const BUSY_YOUNG_MIB: Readonly<Record<string, number>> = { alertmanager: 4 };

/** The name that the program was called by, for links that stand in for the originals. */
export const ALIASES: Readonly<Record<string, string>> = {
  prometheus: 'server',
  alertmanager: 'alertmanager',
  'prometheus-alertmanager': 'alertmanager',
  influxd: 'store',
  node_exporter: 'node-exporter',
  'prometheus-node-exporter': 'node-exporter',
  promtool: 'tool',
  amtool: 'amtool',
  influx: 'influx',
  remote_storage_adapter: 'adapter',
};

// A role's flag table is narrower than the general one; the command line only ever hands back what that table parsed.
async function load(
  module: Promise<{ readonly role: unknown }>,
): Promise<{ readonly role: RoleModule }> {
  return (await module) as { readonly role: RoleModule };
}
