import type { WireTarget } from '@pollux/api-types';
import { useState } from 'react';
import { Loaded } from '../components/loaded.tsx';
import { Moment } from '../components/moment.tsx';
import { fetchTargets } from '../lib/client.ts';
import { seriesName } from '../lib/series.ts';
import { usePolled } from '../lib/use-polled.ts';
import { webAddress } from '../lib/web-address.ts';

const POLL_MS = 5_000;
/** Rows of a pool shown at once, and how many more when asked for; those that are down come first. */
const STEP = 100;

/** What is scraped, by pool. */
export function TargetsPage() {
  const targets = usePolled(fetchTargets, POLL_MS);
  return (
    <>
      <h1>Targets</h1>
      <Loaded of={targets}>
        {({ activeTargets }) =>
          activeTargets.length === 0 ? (
            <p>No targets.</p>
          ) : (
            poolsOf(activeTargets).map(([name, list]) => (
              <Pool key={name} name={name} targets={list} />
            ))
          )
        }
      </Loaded>
    </>
  );
}

function poolsOf(targets: readonly WireTarget[]): readonly (readonly [string, WireTarget[]])[] {
  const pools = new Map<string, WireTarget[]>();
  for (const target of targets) {
    const pool = pools.get(target.scrapePool) ?? [];
    pool.push(target);
    pools.set(target.scrapePool, pool);
  }
  return [...pools].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Pool({
  name,
  targets,
}: {
  readonly name: string;
  readonly targets: readonly WireTarget[];
}) {
  const [limit, setLimit] = useState(STEP);
  const down = targets.filter(({ health }) => health !== 'up');
  const shown = [...down, ...targets.filter(({ health }) => health === 'up')].slice(0, limit);
  const left = targets.length - shown.length;
  return (
    <section aria-label={name}>
      <h2>
        {name} ({targets.length - down.length} of {targets.length} up)
      </h2>
      <div className="wide">
        <table>
          <thead>
            <tr>
              <th>Address</th>
              <th>State</th>
              <th>Labels</th>
              <th>Last scrape</th>
              <th>Error</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((target) => (
              <Row key={`${target.scrapeUrl} ${seriesName(target.labels)}`} target={target} />
            ))}
          </tbody>
        </table>
      </div>
      {left > 0 && (
        <button type="button" onClick={() => setLimit(limit + STEP)}>
          {left} more
        </button>
      )}
    </section>
  );
}

function Row({ target }: { readonly target: WireTarget }) {
  const { globalUrl, scrapeUrl, health, labels, lastScrape, lastScrapeDuration, lastError } =
    target;
  const address = webAddress(globalUrl);
  return (
    <tr className={health === 'down' ? 'firing' : ''}>
      <td>
        {address === null ? (
          scrapeUrl
        ) : (
          <a href={address} rel="noreferrer">
            {scrapeUrl}
          </a>
        )}
      </td>
      <td>{health}</td>
      <td>{seriesName(labels)}</td>
      <td>
        {health === 'unknown' ? (
          'never'
        ) : (
          <>
            <Moment time={lastScrape} />, {Math.round(lastScrapeDuration * 1_000)} ms
          </>
        )}
      </td>
      <td>{lastError}</td>
    </tr>
  );
}
