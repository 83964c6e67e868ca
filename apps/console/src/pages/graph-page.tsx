import { type FormEvent, useEffect, useState } from 'react';
import { Notice } from '../components/notice.tsx';
import { MAX_LINES, Plot, type Span } from '../components/plot.tsx';
import { type QueryAnswer, queryInstant, queryRange } from '../lib/client.ts';
import { parseDuration } from '../lib/durations.ts';
import { useLocation, useNavigate } from '../lib/location.ts';
import { toColumns, toRows } from '../lib/series.ts';

const RANGES: readonly string[] = ['5m', '30m', '1h', '6h', '1d', '7d'];
/** As Prometheus 2 and 3 name them; what explains a query is shown as its table. */
const TABLE_TABS: ReadonlySet<string> = new Set(['1', 'table', 'explain']);
/** Points across the drawing; finer steps cannot be seen. */
const POINTS = 250;

type Shown =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'ready'; readonly answer: QueryAnswer; readonly span: Span };

/** One expression as a table or a graph; expression, tab and range are in the address (`g0.*`, as Prometheus has them). */
export function GraphPage() {
  const { params } = useLocation();
  const navigate = useNavigate();
  const expression = params.get('g0.expr') ?? '';
  const isGraph = !TABLE_TABS.has(params.get('g0.tab') ?? '');
  const range = params.get('g0.range_input') ?? '1h';
  const [draft, setDraft] = useState(expression);
  useEffect(() => setDraft(expression), [expression]);
  const shown = useQuery(expression, isGraph, (parseDuration(range) ?? 3_600_000) / 1_000);
  const go = (changes: Record<string, string>): void => {
    const next = new URLSearchParams(params);
    for (const [name, value] of Object.entries(changes)) next.set(name, value);
    navigate('/graph', next);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go({ 'g0.expr': draft });
  };
  return (
    <>
      <h1>Graph</h1>
      <form onSubmit={submit} className="query">
        <input
          aria-label="Expression"
          value={draft}
          placeholder="Expression, as rate(node_cpu_seconds_total[1m])"
          onChange={(event) => setDraft(event.target.value)}
        />
        <button type="submit">Run</button>
      </form>
      <div className="tabs">
        <button type="button" aria-pressed={isGraph} onClick={() => go({ 'g0.tab': '0' })}>
          Graph
        </button>
        <button type="button" aria-pressed={!isGraph} onClick={() => go({ 'g0.tab': '1' })}>
          Table
        </button>
        {isGraph && (
          <select
            aria-label="Range"
            value={range}
            onChange={(event) => go({ 'g0.range_input': event.target.value })}
          >
            {/* A link may have any. */}
            {[...new Set([...RANGES, range])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </div>
      <Result shown={shown} isGraph={isGraph} />
    </>
  );
}

function useQuery(expression: string, isGraph: boolean, rangeSeconds: number): Shown {
  const [shown, setShown] = useState<Shown>({ kind: 'nothing' });
  useEffect(() => {
    if (expression === '') {
      setShown({ kind: 'nothing' });
      return;
    }
    const stop = new AbortController();
    setShown({ kind: 'loading' });
    const endSeconds = Math.floor(Date.now() / 1_000);
    const stepSeconds = Math.max(1, Math.round(rangeSeconds / POINTS));
    const span = { startSeconds: endSeconds - rangeSeconds, endSeconds };
    const answer = isGraph
      ? queryRange(expression, { ...span, stepSeconds }, stop.signal)
      : queryInstant(expression, stop.signal);
    answer.then(
      (value) => setShown({ kind: 'ready', answer: value, span }),
      (error: unknown) => {
        if (!stop.signal.aborted) {
          setShown({
            kind: 'failed',
            error: error instanceof Error ? error.message : String(error),
          });
        }
      },
    );
    return () => stop.abort();
  }, [expression, isGraph, rangeSeconds]);
  return shown;
}

function Result({ shown, isGraph }: { readonly shown: Shown; readonly isGraph: boolean }) {
  if (shown.kind === 'nothing') return <p>Write an expression and run it.</p>;
  if (shown.kind === 'loading') return <p>…</p>;
  if (shown.kind === 'failed') return <Notice kind="error" text={shown.error} />;
  const { data, warnings } = shown.answer;
  const table = toColumns(data);
  return (
    <>
      {warnings.map((warning) => (
        <Notice key={warning} kind="warning" text={warning} />
      ))}
      {isGraph && table.columns.length > MAX_LINES && (
        <Notice
          kind="warning"
          text={`${table.columns.length} series; the first ${MAX_LINES} are drawn`}
        />
      )}
      {isGraph ? <Plot table={table} span={shown.span} /> : <Rows data={data} />}
    </>
  );
}

function Rows({ data }: { readonly data: QueryAnswer['data'] }) {
  const rows = toRows(data);
  if (rows.length === 0) return <p>No data.</p>;
  return (
    <table>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr key={name}>
            <td>{name}</td>
            <td className="value">{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
