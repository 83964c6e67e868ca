import type { WireAlertingRule, WireRuleGroup } from '@pollux/api-types';
import { LinkedText } from '../components/linked-text.tsx';
import { Loaded } from '../components/loaded.tsx';
import { Moment } from '../components/moment.tsx';
import { fetchRules } from '../lib/client.ts';
import { pagePath } from '../lib/location.ts';
import { seriesName } from '../lib/series.ts';
import { usePolled } from '../lib/use-polled.ts';

const POLL_MS = 5_000;
/** Alerts of one rule that are shown. */
const MAX_ALERTS = 100;
/** Before the first evaluation. */
const NEVER = '0001-01-01T00:00:00Z';

type Rule = WireRuleGroup['rules'][number];

/** Rules by group, with what fires of them. */
export function AlertsPage() {
  const rules = usePolled(fetchRules, POLL_MS);
  return (
    <>
      <h1>Alerts and rules</h1>
      <Loaded of={rules}>
        {({ groups }) =>
          groups.length === 0 ? (
            <p>No rules.</p>
          ) : (
            groups.map((group) => <Group key={`${group.file} ${group.name}`} group={group} />)
          )
        }
      </Loaded>
    </>
  );
}

function Group({ group }: { readonly group: WireRuleGroup }) {
  return (
    <section aria-label={group.name}>
      <h2>
        {group.name} <small>{group.file}</small>
      </h2>
      <div className="wide">
        <table>
          <thead>
            <tr>
              <th>Rule</th>
              <th>State</th>
              <th>Expression</th>
              <th>Evaluated</th>
            </tr>
          </thead>
          <tbody>
            {group.rules.map((rule, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a group may have a rule twice, and keeps their order
              <Row key={index} rule={rule} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ rule }: { readonly rule: Rule }) {
  const { name, query, lastEvaluation, lastError } = rule;
  const state = rule.type === 'alerting' ? rule.state : 'recording';
  const search = new URLSearchParams({ 'g0.expr': query, 'g0.tab': '1' });
  return (
    <>
      <tr className={state}>
        <td>{name}</td>
        <td>{state}</td>
        <td>
          <a href={`${pagePath('/graph')}?${search}`}>{query}</a>
          {lastError !== undefined && lastError !== '' && <p className="reason">{lastError}</p>}
        </td>
        <td>{lastEvaluation === NEVER ? 'never' : <Moment time={lastEvaluation} />}</td>
      </tr>
      {rule.type === 'alerting' && <Firing rule={rule} />}
    </>
  );
}

function Firing({ rule: { alerts } }: { readonly rule: WireAlertingRule }) {
  const shown = alerts.slice(0, MAX_ALERTS);
  return (
    <>
      {shown.map(({ labels, annotations, state, activeAt }) => (
        <tr key={seriesName(labels)} className={state}>
          <td />
          <td>{state}</td>
          <td>
            {seriesName(labels)}
            {Object.entries(annotations).map(([name, value]) => (
              <p key={name}>
                {name}: <LinkedText text={value} />
              </p>
            ))}
          </td>
          <td>{activeAt === undefined ? '' : <Moment time={activeAt} />}</td>
        </tr>
      ))}
      {alerts.length > shown.length && (
        <tr>
          <td colSpan={4}>{alerts.length - shown.length} more</td>
        </tr>
      )}
    </>
  );
}
