import { formatMatchers, type Matcher } from './matchers.ts';

/** What the list of alerts shows, as its link has it. */
export type AlertsView = {
  /** Matchers, `{a="b"}`. */
  readonly filter: string;
  /** A pattern, as the API takes it; empty for all. */
  readonly receiver: string;
  readonly silenced: boolean;
  readonly inhibited: boolean;
  readonly muted: boolean;
  readonly active: boolean;
  /** Null for the groups that are notified, else the labels to group by. */
  readonly groupBy: readonly string[] | null;
};

export type SilenceState = 'active' | 'pending' | 'expired';
export const SILENCE_STATES: readonly SilenceState[] = ['active', 'pending', 'expired'];

export type Route =
  | { readonly page: 'alerts'; readonly view: AlertsView }
  | { readonly page: 'silences'; readonly filter: string; readonly state: SilenceState }
  | { readonly page: 'new silence'; readonly filter: string; readonly comment: string }
  | { readonly page: 'silence'; readonly id: string }
  | { readonly page: 'edit silence'; readonly id: string }
  | { readonly page: 'notifications'; readonly onlyFailed: boolean }
  | { readonly page: 'status' }
  | { readonly page: 'settings' }
  | { readonly page: 'unknown'; readonly path: string };

export const ALL_ALERTS: AlertsView = {
  filter: '',
  receiver: '',
  silenced: false,
  inhibited: false,
  muted: false,
  active: true,
  groupBy: null,
};

const SWITCHES = ['silenced', 'inhibited', 'muted', 'active'] as const;

/**
 * The page that an address means by what is behind its `#`: Alertmanager's own links, so that those of notifications,
 * bookmarks and other tools go on working. A plus is a space, as `urlquery` of templates writes it.
 */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, '');
  const at = text.indexOf('?');
  const path = at < 0 ? text : text.slice(0, at);
  const params = new URLSearchParams(at < 0 ? '' : text.slice(at + 1));
  const [first = '', second = '', third = '', ...more] = path
    .split('/')
    .filter((part) => part !== '');
  if (more.length > 0) return { page: 'unknown', path };
  const words = [first, second, third].map(decoded);
  const filter = params.get('filter') ?? '';
  if (first === '' || (first === 'alerts' && second === '')) {
    return { page: 'alerts', view: alertsView(params) };
  }
  if (first === 'notifications' && second === '') {
    return { page: 'notifications', onlyFailed: params.get('result') === 'failed' };
  }
  if (first === 'status' && second === '') return { page: 'status' };
  if (first === 'settings' && second === '') return { page: 'settings' };
  if (first !== 'silences') return { page: 'unknown', path };
  if (second === '') return { page: 'silences', filter, state: stateOf(params.get('state')) };
  if (third === '' && second === 'new') {
    return { page: 'new silence', filter, comment: params.get('comment') ?? '' };
  }
  if (third === '') return { page: 'silence', id: words[1] ?? '' };
  if (third === 'edit') return { page: 'edit silence', id: words[1] ?? '' };
  return second === 'edit'
    ? { page: 'edit silence', id: words[2] ?? '' }
    : { page: 'unknown', path };
}

function alertsView(params: URLSearchParams): AlertsView {
  const view = { ...ALL_ALERTS };
  for (const name of SWITCHES) {
    const given = params.get(name);
    if (given !== null) Object.assign(view, { [name]: given.toLowerCase() !== 'false' });
  }
  const group = params.get('group');
  return {
    ...view,
    filter: params.get('filter') ?? '',
    receiver: params.get('receiver') ?? '',
    groupBy: params.has('customGrouping')
      ? (group ?? 'alertname').split(',').filter((name) => name !== '')
      : null,
  };
}

function stateOf(text: string | null): SilenceState {
  return SILENCE_STATES.find((state) => state === text) ?? 'active';
}

/** What cannot be decoded is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function alertsLink(view: AlertsView): string {
  const params = new URLSearchParams();
  for (const name of SWITCHES) params.set(name, String(view[name]));
  if (view.filter !== '') params.set('filter', view.filter);
  if (view.receiver !== '') params.set('receiver', view.receiver);
  if (view.groupBy !== null) {
    params.set('group', view.groupBy.join(','));
    params.set('customGrouping', 'true');
  }
  return `#/alerts?${search(params)}`;
}

export function silencesLink(filter: string, state: SilenceState): string {
  const params = new URLSearchParams(filter === '' ? {} : { filter });
  if (state !== 'active') params.set('state', state);
  return params.size === 0 ? '#/silences' : `#/silences?${search(params)}`;
}

export function notificationsLink(onlyFailed: boolean): string {
  return onlyFailed ? '#/notifications?result=failed' : '#/notifications';
}

export function newSilenceLink(matchers: readonly Matcher[], comment = ''): string {
  const params = new URLSearchParams({ filter: formatMatchers(matchers) });
  if (comment !== '') params.set('comment', comment);
  return `#/silences/new?${search(params)}`;
}

export function silenceLink(id: string): string {
  return `#/silences/${encodeURIComponent(id)}`;
}

export function editSilenceLink(id: string): string {
  return `${silenceLink(id)}/edit`;
}

/** Spaces as %20, which Alertmanager's own page reads too. */
function search(params: URLSearchParams): string {
  return params.toString().replaceAll('+', '%20');
}
