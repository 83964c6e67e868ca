import type { MemberStatus, RoleStatus } from '@pollux/api-types/pair';
import { turnOf } from '../lib/turn.ts';

const SHOWN_GAPS = 3;

/** One role on one host: up or down, and what it says of itself. */
export function MemberCard({
  member,
  nowMs,
}: {
  readonly member: MemberStatus;
  readonly nowMs: number;
}) {
  const { name, url, isUp, lastError, lastUpMs, details, gaps } = member;
  return (
    <section className={`member ${isUp ? 'up' : 'down'}`} aria-label={name}>
      <h3>
        <span className="dot" aria-hidden="true" /> {name} <small>{isUp ? 'up' : 'down'}</small>
      </h3>
      <a href={url}>{url.replace('http://', '')}</a>
      {!isUp && (
        <p className="reason">
          {lastUpMs === 0 ? 'never seen up' : `last up ${new Date(lastUpMs).toLocaleTimeString()}`}
          <br />
          {lastError}
        </p>
      )}
      {/* What a member said before it went down would pass for the present. */}
      {isUp && details !== null && <Details details={details} />}
      {gaps !== null && gaps.length > 0 && <Gaps gaps={gaps} nowMs={nowMs} />}
    </section>
  );
}

function Details({ details }: { readonly details: RoleStatus }) {
  switch (details.role) {
    case 'server': {
      // One of an earlier version does not tell.
      const { healing = null } = details as { readonly healing?: typeof details.healing };
      return (
        <ul>
          <li>{details.headSeries.toLocaleString()} series</li>
          <li>
            {counted(details.targetsUp, 'target')} up, {details.targetsDown} down
          </li>
          {details.remoteWrites.map(({ name, lagSeconds, pendingSamples }) => (
            <li key={name} className={lagSeconds > 60 ? 'late' : ''}>
              → {name}: {lagSeconds.toFixed(1)} s behind, {pendingSamples.toLocaleString()} pending
            </li>
          ))}
          {healing !== null && healing.missingSeconds > 0 && (
            <li>
              {healing.state === 'healing' ? 'filling' : 'lacks'}{' '}
              {Math.ceil(healing.missingSeconds).toLocaleString()} s in which it was down
            </li>
          )}
        </ul>
      );
    }
    case 'alertmanager':
      return (
        <ul>
          <li>
            {details.clusterStatus === 'disabled'
              ? 'no cluster'
              : `cluster ${details.clusterStatus}, ${counted(details.members.length, 'member')}`}
          </li>
          {details.members.length > 1 && <li>{turnOf(details.position)}</li>}
        </ul>
      );
    case 'store':
      return (
        <ul>
          {byReplica(details.watermarks).map(({ replica, newestMs }) => (
            <li key={replica}>
              {replica === '' ? 'other writers' : `replica ${replica}`}: newest{' '}
              {new Date(newestMs).toLocaleTimeString()}
            </li>
          ))}
        </ul>
      );
  }
}

function byReplica<T extends { readonly replica: string }>(watermarks: readonly T[]): T[] {
  return [...watermarks].sort((a, b) => (a.replica < b.replica ? -1 : 1));
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`;
}

/** What the server misses of the last hour. */
function Gaps({ gaps, nowMs }: { readonly gaps: readonly number[]; readonly nowMs: number }) {
  const spans = [];
  for (let i = 0; i + 1 < gaps.length; i += 2) {
    const start = gaps[i] ?? 0;
    const end = gaps[i + 1] ?? 0;
    spans.push({
      seconds: Math.round((end - start) / 1_000),
      ago: Math.round((nowMs - end) / 60_000),
    });
  }
  const shown = spans
    .slice(-SHOWN_GAPS)
    .map(({ seconds, ago }) => `${seconds} s, ${ago === 0 ? 'just now' : `${ago} min ago`}`);
  const more = spans.length - shown.length;
  return (
    <p className="late">
      missed in the last hour: {shown.join('; ')}
      {more > 0 && ` and ${more} before`}
    </p>
  );
}
