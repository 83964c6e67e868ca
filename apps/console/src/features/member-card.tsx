import type { MemberStatus, RoleStatus } from '@pollux/api-types/pair';

/** One role on one host: up or down, and what it says of itself. */
export function MemberCard({
  member,
  nowMs,
}: {
  readonly member: MemberStatus;
  readonly nowMs: number;
}) {
  const { name, url, isUp, lastError, details, gaps } = member;
  return (
    <section className={`member ${isUp ? 'up' : 'down'}`} aria-label={name}>
      <h3>
        <span className="dot" aria-hidden="true" /> {name} <small>{isUp ? 'up' : 'down'}</small>
      </h3>
      <a href={url}>{url.replace('http://', '')}</a>
      {!isUp && <p className="reason">{lastError}</p>}
      {details !== null && <Details details={details} />}
      {gaps !== null && gaps.length > 0 && <Gaps gaps={gaps} nowMs={nowMs} />}
    </section>
  );
}

function Details({ details }: { readonly details: RoleStatus }) {
  switch (details.role) {
    case 'server':
      return (
        <ul>
          <li>{details.headSeries.toLocaleString()} series</li>
          <li>
            {details.targetsUp} targets up, {details.targetsDown} down
          </li>
          {details.remoteWrites.map(({ name, lagSeconds, pendingSamples }) => (
            <li key={name} className={lagSeconds > 60 ? 'late' : ''}>
              → {name}: {lagSeconds.toFixed(1)} s behind, {pendingSamples.toLocaleString()} pending
            </li>
          ))}
        </ul>
      );
    case 'alertmanager':
      return (
        <ul>
          <li>
            cluster {details.clusterStatus}, position {details.position}
          </li>
          {details.members.map(({ name, address }) => (
            <li key={name}>{address}</li>
          ))}
        </ul>
      );
    case 'store':
      return (
        <ul>
          {details.watermarks.map(({ replica, newestMs }) => (
            <li key={replica}>
              {replica === '' ? 'other writers' : `replica ${replica}`}: newest{' '}
              {new Date(newestMs).toLocaleTimeString()}
            </li>
          ))}
        </ul>
      );
  }
}

/** What the server misses of the last hour. */
function Gaps({ gaps, nowMs }: { readonly gaps: readonly number[]; readonly nowMs: number }) {
  const spans = [];
  for (let i = 0; i + 1 < gaps.length; i += 2) {
    const start = gaps[i] ?? 0;
    const end = gaps[i + 1] ?? 0;
    spans.push({
      start,
      seconds: Math.round((end - start) / 1_000),
      ago: Math.round((nowMs - end) / 60_000),
    });
  }
  return (
    <p className="late">
      gaps in the last hour:{' '}
      {spans.slice(-3).map(({ start, seconds, ago }) => (
        <span key={start}>
          {seconds} s, {ago} min ago;{' '}
        </span>
      ))}
    </p>
  );
}
