import type {
  AlertGroup,
  AlertmanagerStatus,
  GettableAlert,
  GettableSilence,
  PostableSilence,
  WireMatcher,
} from '@pollux/api-types';
import type { AlertmanagerStatus as OwnStatus } from '@pollux/api-types/pair';
import type { Explanation } from './explanation.ts';
import { type Matcher, splitFilter, toWire } from './matchers.ts';
import type { AlertsView } from './route.ts';

/** What the server refused, in its own words. */
export class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Call = {
  readonly signal?: AbortSignal;
  readonly method?: 'POST' | 'DELETE';
  readonly body?: unknown;
};

/** The one way from the page to its alertmanager. Paths are beside the page, below whatever prefix it has. */
async function ask<T>(path: string, { signal, method, body }: Call = {}): Promise<T> {
  const response = await fetch(path, {
    ...(signal === undefined ? {} : { signal }),
    ...(method === undefined ? {} : { method }),
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new RefusedError(
      response.status,
      refusalText(text) || `the server answered ${response.status}`,
    );
  }
  return (text === '' ? null : JSON.parse(text)) as T;
}

/** The API refuses by a text, by `{message}`, or by `{error: {message}}`; what stands before it by plain text. */
function refusalText(text: string): string {
  try {
    const found = JSON.parse(text) as
      | string
      | { readonly message?: string; readonly error?: { readonly message?: string } };
    if (typeof found === 'string') return found;
    return found.message ?? found.error?.message ?? text;
  } catch {
    return text.slice(0, 300);
  }
}

function filters(params: URLSearchParams, filter: string): URLSearchParams {
  for (const matcher of splitFilter(filter)) params.append('filter', matcher);
  return params;
}

function alertParams(view: AlertsView): URLSearchParams {
  const params = new URLSearchParams();
  for (const name of ['silenced', 'inhibited', 'muted', 'active'] as const) {
    params.set(name, String(view[name]));
  }
  if (view.receiver !== '') params.set('receiver', view.receiver);
  return filters(params, view.filter);
}

export type Owner = { readonly id: string; readonly owner: string; readonly note: string };
export type ListedAlerts = {
  readonly groups: readonly AlertGroup[];
  /** By fingerprint. */
  readonly acknowledged: ReadonlyMap<string, readonly Owner[]>;
};

type OwnedAlert = { readonly fingerprint: string; readonly acknowledgedBy: readonly Owner[] };

/** Groups of alerts; who acknowledged which is asked only when anything is acknowledged. */
export async function fetchAlerts(view: AlertsView, signal: AbortSignal): Promise<ListedAlerts> {
  const params = alertParams(view);
  const [groups, { acknowledgements }] = await Promise.all([
    ask<readonly AlertGroup[]>(`api/v2/alerts/groups?${params}`, { signal }),
    ask<{ readonly acknowledgements: readonly unknown[] }>('api/v3/acknowledgements', { signal }),
  ]);
  const owned =
    acknowledgements.length === 0
      ? []
      : await ask<readonly OwnedAlert[]>(`api/v3/alerts?${params}`, { signal });
  return {
    groups,
    acknowledged: new Map(
      owned.map(({ fingerprint, acknowledgedBy }) => [fingerprint, acknowledgedBy]),
    ),
  };
}

export async function fetchReceivers(signal: AbortSignal): Promise<readonly string[]> {
  const found = await ask<readonly { readonly name: string }[]>('api/v2/receivers', { signal });
  return found.map(({ name }) => name);
}

export type ShownStatus = AlertmanagerStatus & { readonly own: OwnStatus };

export async function fetchStatus(signal: AbortSignal): Promise<ShownStatus> {
  const [status, own] = await Promise.all([
    ask<AlertmanagerStatus>('api/v2/status', { signal }),
    ask<OwnStatus>('api/v1/pollux/status', { signal }),
  ]);
  return { ...status, own };
}

export async function fetchExplanation(
  fingerprint: string,
  signal: AbortSignal,
): Promise<Explanation> {
  return ask(`api/v3/explain?${new URLSearchParams({ fingerprint })}`, { signal });
}

export async function acknowledge(fingerprint: string, owner: string, note: string): Promise<void> {
  await ask('api/v3/acknowledgements', { method: 'POST', body: { fingerprint, owner, note } });
}

export async function endAcknowledgement(id: string): Promise<void> {
  await ask(`api/v3/acknowledgements/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

export function fetchSilences(
  filter: string,
  signal: AbortSignal,
): Promise<readonly GettableSilence[]> {
  return ask(`api/v2/silences?${filters(new URLSearchParams(), filter)}`, { signal });
}

/** Null when there is none of this id. */
export async function fetchSilence(
  id: string,
  signal: AbortSignal,
): Promise<GettableSilence | null> {
  try {
    return await ask(`api/v2/silence/${encodeURIComponent(id)}`, { signal });
  } catch (error) {
    if (error instanceof RefusedError && (error.status === 404 || error.status === 422))
      return null;
    throw error;
  }
}

export async function saveSilence(silence: PostableSilence): Promise<string> {
  const { silenceID } = await ask<{ readonly silenceID: string }>('api/v2/silences', {
    method: 'POST',
    body: silence,
  });
  return silenceID;
}

export async function expireSilence(id: string): Promise<void> {
  await ask(`api/v2/silence/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

export type Seen = {
  readonly seen: number;
  readonly of: number;
  readonly members: readonly {
    readonly name: string;
    readonly address: string;
    readonly state: 'seen' | 'not yet' | 'unknown';
  }[];
};

export function fetchSeen(id: string, signal: AbortSignal): Promise<Seen> {
  return ask(`api/v3/silences/${encodeURIComponent(id)}/seen`, { signal });
}

export type Preview = {
  readonly active: {
    readonly count: number;
    readonly receivers: readonly string[];
    readonly alerts: readonly Pick<GettableAlert, 'fingerprint' | 'labels'>[];
  };
  readonly past: {
    readonly days: number;
    readonly count: number;
    readonly isComplete: boolean;
    readonly alerts: readonly {
      readonly fingerprint: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly fired: number;
      readonly lastFired: string;
    }[];
  };
};

/** What a silence of these matchers would reach now and, with `days`, would have reached. */
export function previewSilence(
  matchers: readonly Matcher[],
  days: number,
  signal: AbortSignal,
): Promise<Preview> {
  const body: { matchers: WireMatcher[]; days: number } = { matchers: matchers.map(toWire), days };
  return ask('api/v3/silences/preview', { method: 'POST', body, signal });
}

/** One delivery to an integration, as this member's history has it. */
export type Delivery = {
  readonly id: number;
  readonly time: string;
  readonly receiver: string;
  readonly integration: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly reason: string;
  readonly result: string;
  readonly error: string;
  readonly firing: number;
  readonly resolved: number;
};

type Undelivered = {
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly firing: number;
  readonly resolved: number;
  readonly failingSince: string;
  readonly attempts: number;
  readonly error: string;
};

/** What a receiver has not taken yet. */
export type OwedDelivery = Undelivered;
/** What was given up. */
export type DeadLetter = Undelivered & {
  readonly id: string;
  readonly cause: string;
  readonly diedAt: string;
};

export type Deliveries = {
  readonly records: readonly Delivery[];
  readonly owed: readonly OwedDelivery[];
  readonly dead: readonly DeadLetter[];
};

/** The last hundred since a time. */
export async function fetchDeliveries(
  onlyFailed: boolean,
  sinceMs: number,
  signal: AbortSignal,
): Promise<Deliveries> {
  const params = new URLSearchParams({
    kind: 'notification',
    limit: '100',
    from: new Date(sinceMs).toISOString(),
  });
  if (onlyFailed) params.set('result', 'failed');
  const [{ records }, owed, dead] = await Promise.all([
    ask<{ readonly records: readonly Delivery[] }>(`api/v3/history?${params}`, { signal }),
    ask<readonly OwedDelivery[]>('api/v3/outbox', { signal }),
    ask<readonly DeadLetter[]>('api/v3/dead-letters', { signal }),
  ]);
  return { records, owed, dead };
}

/** Sends it as it was. Throws what the receiver said when it failed. */
export async function replayDeadLetter(id: string): Promise<void> {
  const path = `api/v3/dead-letters/${encodeURIComponent(id)}/replay`;
  const { result, error } = await ask<{ readonly result: string; readonly error: string }>(path, {
    method: 'POST',
  });
  if (result !== 'sent') throw new Error(error);
}

export async function forgetDeadLetter(id: string): Promise<void> {
  await ask(`api/v3/dead-letters/${encodeURIComponent(id)}`, { method: 'DELETE' });
}
