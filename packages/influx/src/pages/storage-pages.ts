import type { HttpResponse } from '@pollux/base';
import { shownAddress } from '@pollux/config';
import type { Exchange, Router } from '@pollux/http';
import { ALL_TIME, type GroupIdentity } from '@pollux/storage';
import type { StoreEngine } from '../engine-port.ts';
import { isResponse } from '../http/access.ts';
import { formatTime } from '../http/time-text.ts';
import { formatGoDuration } from '../influxql/duration.ts';
import type { Database, User } from '../meta/meta-store.ts';
import type { RetentionPolicy } from '../meta/retention-policy.ts';
import type { InfluxService } from '../service.ts';
import { bytesText, html, type Markup, page, table } from './html.ts';

/** A longer list is cut, with a remark: the page is for looking, InfluxQL for counting. */
const MAX_ROWS = 1_000;

/**
 * Pages about what the store holds: databases, users, and of each database its policies, shard groups with their sizes and ends,
 * measurements, continuous queries and subscriptions. They change nothing. With authentication on they are for administrators.
 */
export function registerStoragePages(
  router: Router,
  service: InfluxService,
  engine: StoreEngine,
): void {
  const guarded =
    (answer: (exchange: Exchange) => Promise<HttpResponse>) =>
    async (exchange: Exchange): Promise<HttpResponse> =>
      refusal(service, exchange) ?? answer(exchange);
  router.get(
    '/',
    guarded(async () => overview(service, engine)),
  );
  router.get(
    '/database/:name',
    guarded((exchange) => databasePage(service, engine, exchange.params.name ?? '')),
  );
}

function refusal({ context }: InfluxService, exchange: Exchange): HttpResponse | null {
  if (!context.access.isEnabled) return null;
  const user = context.access.userOf(exchange);
  if (user === null)
    return page(403, 'No administrator', html`<p>Create an administrator first.</p>`);
  if (isResponse(user)) return user;
  if (user.admin) return null;
  return page(403, 'Not allowed', html`<p>These pages are for administrators.</p>`);
}

function overview({ meta, context }: InfluxService, engine: StoreEngine): HttpResponse {
  const bytes = engine.groupBytes();
  const groups = engine.groups();
  const databases = meta.databases().map((database) => {
    const own = groups.filter((group) => group.database === database.name);
    return [
      html`<a href="/database/${encodeURIComponent(database.name)}">${database.name}</a>`,
      database.defaultPolicy,
      database.policies.length,
      own.length,
      bytesText(sum(own, bytes)),
    ];
  });
  const uptimeMs = Math.floor(context.clock.now() - context.startedMs);
  return page(
    200,
    'Store',
    html`<h1>Store</h1>
<p>InfluxDB ${context.version}, up for ${formatGoDuration(BigInt(uptimeMs) * 1_000_000n)}, ${bytesText(sum(groups, bytes))} on disk.</p>
<h2>Databases</h2>
${table(['name', 'default policy', 'policies#', 'shard groups#', 'on disk#'], databases, 'There are none yet.')}
<h2>Users</h2>
${context.access.isEnabled ? html`` : html`<p>Authentication is off: everybody may do everything.</p>`}
${table(['name', 'administrator', 'privileges'], meta.users().map(userRow), 'There are none.')}`,
  );
}

function userRow({ name, admin, privileges }: User): (string | Markup)[] {
  const held = Object.entries(privileges)
    .filter(([, privilege]) => privilege !== 'NO PRIVILEGES')
    .map(([database, privilege]) => `${privilege} on ${database}`);
  return [name, admin ? 'yes' : 'no', held.join(', ')];
}

async function databasePage(
  service: InfluxService,
  engine: StoreEngine,
  name: string,
): Promise<HttpResponse> {
  const { meta } = service;
  const database = meta.database(name);
  if (database === null) {
    return page(
      404,
      'No such database',
      html`<p>There is no database <code>${name}</code>. <a href="/">All databases</a></p>`,
    );
  }
  const bytes = engine.groupBytes();
  const groups = engine.groups().filter((group) => group.database === name);
  const policies = database.policies.map((policy) => policyRow(database, policy, groups, bytes));
  const shown = groups.slice(-MAX_ROWS).reverse();
  const measurements = await measurementsOf(engine, database);
  const subscriptions = database.policies.flatMap((policy) =>
    policy.subscriptions.map((one) => [
      one.name,
      policy.name,
      one.mode,
      one.destinations.map(shownAddress).join(', '),
    ]),
  );
  const queries = database.continuousQueries.map((one) => [
    one.name,
    html`<code>${one.query}</code>`,
  ]);
  return page(
    200,
    `${name} - Store`,
    html`<p><a href="/">All databases</a></p>
<h1>${name}</h1>
<h2>Retention policies</h2>
${table(['name', 'kept for', 'shard group duration', 'default', 'shard groups#', 'on disk#'], policies, 'There are none.')}
<h2>Shard groups</h2>
<p>A group is dropped as a whole, once the newest sample that it may hold is as old as its policy says.</p>
${cutRemark(groups.length, 'newest')}
${table(
  ['id#', 'policy', 'start', 'end', 'dropped at', 'on disk#'],
  shown.map((group) => groupRow(database, group, bytes)),
  'There are none yet.',
)}
<h2>Measurements</h2>
${cutRemark(measurements.length, 'first')}
${table(
  ['name', 'fields'],
  measurements.slice(0, MAX_ROWS).map(([measurement, fields]) => [measurement, fields]),
  'There are none yet.',
)}
<h2>Continuous queries</h2>
${table(['name', 'query'], queries, 'There are none.')}
<h2>Subscriptions</h2>
${table(['name', 'policy', 'mode', 'destinations'], subscriptions, 'There are none.')}`,
  );
}

function policyRow(
  database: Database,
  policy: RetentionPolicy,
  groups: readonly GroupIdentity[],
  bytes: ReadonlyMap<number, number>,
): (string | number)[] {
  const own = groups.filter(({ retentionPolicy }) => retentionPolicy === policy.name);
  return [
    policy.name,
    policy.durationNanos === 0n ? 'for ever' : formatGoDuration(policy.durationNanos),
    formatGoDuration(policy.shardDurationNanos),
    policy.name === database.defaultPolicy ? 'yes' : 'no',
    own.length,
    bytesText(sum(own, bytes)),
  ];
}

function groupRow(
  database: Database,
  { id, retentionPolicy, startMs, endMs }: GroupIdentity,
  bytes: ReadonlyMap<number, number>,
): (string | number)[] {
  const policy = database.policies.find(({ name }) => name === retentionPolicy);
  const keptNanos = policy?.durationNanos ?? 0n;
  return [
    id,
    retentionPolicy,
    timeText(BigInt(startMs) * 1_000_000n),
    timeText(BigInt(endMs) * 1_000_000n),
    keptNanos === 0n ? 'never' : timeText(BigInt(endMs) * 1_000_000n + keptNanos),
    bytesText(bytes.get(id) ?? 0),
  ];
}

/** Names with the fields of each, of all policies. */
async function measurementsOf(
  engine: StoreEngine,
  database: Database,
): Promise<readonly (readonly [string, string])[]> {
  const fields = new Map<string, Set<string>>();
  for (const { name } of database.policies) {
    await engine.prepare(database.name, name, ALL_TIME);
    const view = engine.view(database.name, name, ALL_TIME);
    try {
      for (const measurement of view.measurements()) {
        const known = fields.get(measurement) ?? new Set();
        fields.set(measurement, known);
        if (fields.size > MAX_ROWS) continue;
        for (const field of view.fields(measurement)) known.add(`${field.name} (${field.kind})`);
      }
    } finally {
      view.release();
    }
  }
  return [...fields]
    .map(([name, known]) => [name, [...known].join(', ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function cutRemark(count: number, which: string): Markup {
  return count > MAX_ROWS ? html`<p>The ${which} ${MAX_ROWS} of ${count}.</p>` : html``;
}

function sum(groups: readonly GroupIdentity[], bytes: ReadonlyMap<number, number>): number {
  return groups.reduce((total, { id }) => total + (bytes.get(id) ?? 0), 0);
}

function timeText(nanos: bigint): string {
  return formatTime(nanos, null);
}
