import type { PairStatus } from '@pollux/api-types/pair';
import { Notice } from '../components/notice.tsx';
import { AlertList } from '../features/alert-list.tsx';
import { MemberCard } from '../features/member-card.tsx';
import { fetchAlerts, fetchPair } from '../lib/client.ts';
import { usePolled } from '../lib/use-polled.ts';

const POLL_MS = 2_000;
const TITLES = { server: 'Servers', alertmanager: 'Alertmanagers', store: 'Stores' } as const;

/** The pair as it is now. */
export function PairPage() {
  const pair = usePolled(fetchPair, POLL_MS);
  const alerts = usePolled(fetchAlerts, POLL_MS);
  return (
    <>
      <h1>The pair</h1>
      {pair.kind === 'failed' && <Notice kind="error" text={pair.error} />}
      {pair.kind === 'ready' && pair.error !== null && <Notice kind="error" text={pair.error} />}
      {pair.kind === 'ready' && pair.value === null && (
        <Notice kind="warning" text="This is a single server. Open the gateway to see the pair." />
      )}
      {pair.kind === 'ready' && pair.value !== null && <Groups pair={pair.value} />}
      <h2>Alerts</h2>
      {alerts.kind === 'failed' && <Notice kind="error" text={alerts.error} />}
      {alerts.kind === 'ready' && <AlertList alerts={alerts.value} />}
    </>
  );
}

function Groups({ pair }: { readonly pair: PairStatus }) {
  return (
    <div className="pair">
      {pair.groups.map(({ name, kind, members }) => (
        <div key={name} className="group">
          <h2>{TITLES[kind]}</h2>
          <div className="members">
            {members.map((member) => (
              <MemberCard key={member.name} member={member} nowMs={pair.nowMs} />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}
