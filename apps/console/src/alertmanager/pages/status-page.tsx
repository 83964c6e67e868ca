import { Loaded } from '../../components/loaded.tsx';
import { Moment } from '../../components/moment.tsx';
import { momentText } from '../../lib/time-labels.ts';
import { turnOf } from '../../lib/turn.ts';
import { usePolled } from '../../lib/use-polled.ts';
import { fetchStatus } from '../lib/client.ts';

const POLL_MS = 10_000;

export function StatusPage() {
  const status = usePolled(fetchStatus, POLL_MS);
  return (
    <>
      <h1>Status</h1>
      <Loaded of={status}>
        {({ cluster, config, uptime, versionInfo, own }) => (
          <>
            <dl>
              <div>
                <dt>Up since</dt>
                <dd>
                  {momentText(new Date(uptime).getTime() / 1_000)} (<Moment time={uptime} />)
                </dd>
              </div>
              <div>
                <dt>Version</dt>
                <dd>
                  Pollux {own.version}, as Alertmanager {versionInfo.version}
                </dd>
              </div>
              <div>
                <dt>Cluster</dt>
                <dd>{cluster.status}</dd>
              </div>
              {cluster.peers.length > 1 && (
                <div>
                  <dt>Turn</dt>
                  <dd>{turnOf(own.position)}</dd>
                </div>
              )}
              {cluster.name !== undefined && (
                <div>
                  <dt>Name</dt>
                  <dd>{cluster.name}</dd>
                </div>
              )}
            </dl>
            {cluster.peers.length > 0 && (
              <>
                <h2>Members</h2>
                <table>
                  <thead>
                    <tr>
                      <th>Name</th>
                      <th>Address</th>
                    </tr>
                  </thead>
                  <tbody>
                    {cluster.peers.map(({ name, address }) => (
                      <tr key={name}>
                        <td>{name}</td>
                        <td>{address}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </>
            )}
            <h2>Configuration</h2>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by key */}
            <pre tabIndex={0}>{config.original}</pre>
          </>
        )}
      </Loaded>
    </>
  );
}
