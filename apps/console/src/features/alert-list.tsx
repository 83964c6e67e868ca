import type { FiringAlert } from '../lib/client.ts';

export function AlertList({ alerts }: { readonly alerts: readonly FiringAlert[] }) {
  if (alerts.length === 0) return <p>Nothing is firing.</p>;
  return (
    <table>
      <thead>
        <tr>
          <th>Alert</th>
          <th>State</th>
          <th>Instance</th>
          <th>Since</th>
          <th>Summary</th>
        </tr>
      </thead>
      <tbody>
        {alerts.map(({ labels, annotations, state, activeAt }) => (
          <tr key={JSON.stringify(labels)} className={state}>
            <td>{labels.alertname}</td>
            <td>{state}</td>
            <td>{labels.instance}</td>
            <td>{activeAt === undefined ? '' : new Date(activeAt).toLocaleTimeString()}</td>
            <td>{annotations.summary}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
