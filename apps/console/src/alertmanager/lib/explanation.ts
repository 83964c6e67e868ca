import { whenText } from '../../lib/durations.ts';

/** Of GET /api/v3/explain, what the page reads. */
export type Explanation = { readonly alerts: readonly ExplainedAlert[] };

export type ExplainedAlert = {
  readonly acknowledgedBy: readonly { readonly owner: string; readonly note: string }[];
  readonly inhibitedBy: {
    readonly labels: Readonly<Record<string, string>>;
    readonly rule: { readonly name: string; readonly source: string; readonly target: string };
  } | null;
  readonly silencedBy: readonly {
    readonly id: string;
    readonly createdBy: string;
    readonly comment: string;
  }[];
  readonly routes: readonly ExplainedRoute[];
  readonly member: { readonly position: number; readonly waitSeconds: number };
};

type ExplainedRoute = {
  readonly path: readonly { readonly matchers: string }[];
  readonly receiver: string;
  readonly group: { readonly labels: Readonly<Record<string, string>> };
  readonly times: {
    readonly isMuted: boolean;
    readonly by: readonly string[];
    readonly until: string | null;
  };
  readonly state: {
    readonly alerts: number;
    readonly nextFlush: { readonly at: string; readonly because: string };
    readonly isFlushing: boolean;
    readonly withheld: { readonly reason: string; readonly by: readonly string[] } | null;
    readonly integrations: readonly ExplainedIntegration[];
  } | null;
};

type ExplainedIntegration = {
  readonly integration: string;
  readonly log: {
    readonly notifiedAt: string;
    readonly alertIsIn: 'firing' | 'resolved' | 'neither';
  } | null;
  readonly now: {
    readonly isDue: boolean;
    readonly because: string;
    readonly repeatAt: string | null;
  } | null;
  readonly underWay: { readonly attempt: number; readonly error: string } | null;
  readonly lastAttempts: readonly {
    readonly time: string;
    readonly result: string;
    readonly error: string;
  }[];
};

/** One route in words: where the alert goes, what holds it back, what was and what will be sent. */
export type RouteInWords = { readonly title: string; readonly lines: readonly string[] };

export function inWords(alert: ExplainedAlert, nowMs: number): readonly RouteInWords[] {
  return alert.routes.map((route) => {
    const matchers = route.path.map((step) => step.matchers).filter((text) => text !== '{}');
    const way = matchers.length === 0 ? 'the top route' : matchers.join(' → ');
    return { title: `${route.receiver}, by ${way}`, lines: routeLines(route, nowMs) };
  });
}

function routeLines({ times, state }: ExplainedRoute, nowMs: number): string[] {
  const lines: string[] = [];
  if (times.isMuted) {
    const until = times.until === null ? '' : ` until ${whenText(times.until, nowMs)}`;
    lines.push(`The route is muted by ${times.by.join(', ')}${until}.`);
  }
  if (state === null) return [...lines, 'No group holds it: its end has been notified.'];
  if (state.withheld !== null) {
    const by = state.withheld.by.length === 0 ? '' : `: ${state.withheld.by.join(', ')}`;
    lines.push(`It is held back by ${state.withheld.reason.replaceAll('_', ' ')}${by}.`);
  }
  const others = state.alerts - 1;
  const company = others <= 0 ? 'alone' : `with ${others} other${others === 1 ? '' : 's'}`;
  lines.push(
    state.isFlushing
      ? `Its group (${company}) is being notified now.`
      : `Its group (${company}) is looked at ${whenText(state.nextFlush.at, nowMs)} (${state.nextFlush.because}).`,
  );
  return [...lines, ...state.integrations.flatMap((one) => integrationLines(one, nowMs))];
}

function integrationLines(one: ExplainedIntegration, nowMs: number): string[] {
  const { integration, log, now, underWay, lastAttempts } = one;
  const lines = [
    log === null
      ? `${integration}: nothing was notified yet.`
      : `${integration}: the group was notified ${whenText(log.notifiedAt, nowMs)}, ${
          log.alertIsIn === 'neither' ? 'without this alert' : `with this alert as ${log.alertIsIn}`
        }.`,
  ];
  if (now !== null) {
    const repeat = now.repeatAt === null ? '' : `; repeated ${whenText(now.repeatAt, nowMs)}`;
    lines.push(
      `${integration}: ${now.isDue ? 'it would be sent now' : 'it would not be sent now'} (${now.because})${repeat}.`,
    );
  }
  if (underWay !== null) {
    lines.push(
      `${integration}: attempt ${underWay.attempt} failed and is tried again: ${underWay.error}`,
    );
  }
  const [last] = lastAttempts;
  if (last !== undefined && last.error !== '') {
    lines.push(`${integration}: ${last.result} ${whenText(last.time, nowMs)}: ${last.error}`);
  }
  return lines;
}
