import {
  type ApiAnswer,
  dataOf,
  type QueryData,
  type RuleDiscovery,
  type TargetDiscovery,
} from '@pollux/api-types';
import type { PairStatus } from '@pollux/api-types/pair';
import { rolePath } from './location.ts';

/** The one way from the page to a gateway or server. Errors carry the server's own text. */
async function get<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await fetch(rolePath() + path, {
    signal,
    headers: { accept: 'application/json' },
  });
  const text = await response.text();
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`${response.status} ${text.slice(0, 200)}`);
  }
  return dataOf<T>(answer);
}

/** Null when this address is a single server, which knows no pair. */
export async function fetchPair(signal: AbortSignal): Promise<PairStatus | null> {
  const probe = await fetch(`${rolePath()}/api/v1/pollux/pair`, { signal });
  if (probe.status === 404) return null;
  return dataOf<PairStatus>(await probe.json());
}

export type FiringAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
  readonly activeAt?: string;
};

export async function fetchAlerts(signal: AbortSignal): Promise<readonly FiringAlert[]> {
  const { alerts } = await get<{ alerts: readonly FiringAlert[] }>('/api/v1/alerts', signal);
  return alerts;
}

export function fetchRules(signal: AbortSignal): Promise<RuleDiscovery> {
  return get('/api/v1/rules', signal);
}

export function fetchTargets(signal: AbortSignal): Promise<TargetDiscovery> {
  return get('/api/v1/targets?state=active', signal);
}

export type QueryAnswer = { readonly data: QueryData; readonly warnings: readonly string[] };

async function query(path: string, signal: AbortSignal): Promise<QueryAnswer> {
  const response = await fetch(rolePath() + path, { signal });
  const answer = (await response.json()) as ApiAnswer<QueryData>;
  return { data: dataOf<QueryData>(answer), warnings: answer.warnings ?? [] };
}

export function queryInstant(expression: string, signal: AbortSignal): Promise<QueryAnswer> {
  return query(`/api/v1/query?${new URLSearchParams({ query: expression })}`, signal);
}

export function queryRange(
  expression: string,
  range: {
    readonly startSeconds: number;
    readonly endSeconds: number;
    readonly stepSeconds: number;
  },
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const params = new URLSearchParams({
    query: expression,
    start: String(range.startSeconds),
    end: String(range.endSeconds),
    step: String(range.stepSeconds),
  });
  return query(`/api/v1/query_range?${params}`, signal);
}
