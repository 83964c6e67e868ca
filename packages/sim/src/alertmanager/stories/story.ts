/**
 * A story tells what is sent to a cluster of alertmanagers and what its receivers get, on a time line in seconds from its
 * beginning. One step a line:
 *
 *     1        push       test{lbl=v1} from 1 to 4 says text + other
 *     2..2.5   hook       test{lbl=v1} from 1 + other from 1
 *     2.3      silence    quiet alertname=test from 2.5 to 4.5
 *     3.5      unsilence  quiet
 *     3        shows      lbl=v1: test{lbl=v1} suppressed + test{lbl=v2} active
 *     0        fails      hook
 *     4.5      works      hook
 *     3        reload
 *
 * An alert is its name with further labels in braces. Without `from` it begins when it arrives; without `to` it fires until
 * the resolve timeout. What a hook gets is written with the name of the hook: one message, within the given time, with just
 * these alerts; an alert with `to` has ended. A hook that gets anything else, or more, before the story is over, breaks it.
 */
export type Story = {
  readonly name: string;
  /** Settings of its route, as in the configuration, without the receiver. */
  readonly route: string;
  /** Settings of each of its webhooks, by name. */
  readonly hooks: Readonly<Record<string, string>>;
  readonly inhibit?: readonly InhibitRule[];
  readonly script: string;
  /** What must be its own cluster's, as it concerns everything in it. */
  readonly isApart?: true;
  /** Labels that programs before 0.27 refuse. */
  readonly needsUtf8?: true;
};

/** By alertname or another label; `equal` labels must be the same. */
export type InhibitRule = {
  readonly source: string;
  readonly target: string;
  readonly equal: readonly string[];
};

export type StoryAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly from: number | null;
  readonly to: number | null;
  readonly says: string | null;
};

export type StoryStep =
  | { readonly at: number; readonly kind: 'push'; readonly alerts: readonly StoryAlert[] }
  | {
      readonly at: number;
      readonly kind: 'silence';
      readonly id: string;
      readonly matcher: string;
      readonly from: number;
      readonly to: number;
    }
  | { readonly at: number; readonly kind: 'unsilence'; readonly id: string }
  | { readonly at: number; readonly kind: 'fails' | 'works'; readonly hook: string }
  | { readonly at: number; readonly kind: 'reload' }
  | {
      readonly at: number;
      readonly kind: 'shows';
      readonly filter: string;
      /** `name{labels} state`, sorted. */
      readonly states: readonly string[];
    };

export type StoryMessage = {
  readonly hook: string;
  readonly fromS: number;
  readonly toS: number;
  readonly alerts: readonly StoryAlert[];
};

export type StoryLines = {
  readonly steps: readonly StoryStep[];
  readonly messages: readonly StoryMessage[];
  /** When the story is over. */
  readonly endS: number;
};

/** Reads a script; throws a SyntaxError that names the line. */
export function readScript(story: Story): StoryLines {
  const steps: StoryStep[] = [];
  const messages: StoryMessage[] = [];
  for (const line of story.script.split('\n')) {
    const found = /^\s*([\d.]+?)(?:\.\.([\d.]+))?\s+(\w+)\s*(.*)$/u.exec(line);
    if (line.trim() === '') continue;
    if (found === null) throw new SyntaxError(`${story.name}: ${line}`);
    const [, from = '', to, verb = '', rest = ''] = found;
    if (to === undefined) steps.push(stepOf(Number(from), verb, rest));
    else {
      const alerts = rest.trim() === '' ? [] : alertsOf(rest);
      messages.push({ hook: verb, fromS: Number(from), toS: Number(to), alerts });
    }
  }
  const endS = Math.max(...steps.map(({ at }) => at), ...messages.map(({ toS }) => toS));
  return { steps: steps.sort((a, b) => a.at - b.at), messages, endS };
}

function stepOf(at: number, verb: string, rest: string): StoryStep {
  switch (verb) {
    case 'push':
      return { at, kind: 'push', alerts: alertsOf(rest) };
    case 'silence': {
      const [id = '', matcher = '', , from, , to] = rest.trim().split(/\s+/);
      return { at, kind: 'silence', id, matcher, from: Number(from), to: Number(to) };
    }
    case 'unsilence':
      return { at, kind: 'unsilence', id: rest.trim() };
    case 'fails':
    case 'works':
      return { at, kind: verb, hook: rest.trim() };
    case 'reload':
      return { at, kind: 'reload' };
    case 'shows': {
      const [filter = '', states = ''] = rest.split(': ');
      const all = states.split(' + ').map((state) => state.trim());
      return { at, kind: 'shows', filter: filter.trim(), states: all.sort() };
    }
    default:
      throw new SyntaxError(`unknown step ${verb} ${rest}`);
  }
}

function alertsOf(text: string): StoryAlert[] {
  return text.split(' + ').map((alert) => {
    const found =
      /^\s*(\w+)(?:\{(.*?)\})?(?: from ([\d.]+))?(?: to ([\d.]+))?(?: says (\w+))?\s*$/u.exec(
        alert,
      );
    if (found === null) throw new SyntaxError(`no alert: ${alert}`);
    const [, name = '', labels = '', from, to, says] = found;
    return {
      labels: { alertname: name, ...labelsOf(labels) },
      from: from === undefined ? null : Number(from),
      to: to === undefined ? null : Number(to),
      says: says ?? null,
    };
  });
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.trim().split('=');
      return [name, value];
    }),
  );
}

/** An alert's labels as a script writes them. */
export function writtenAlert(labels: Readonly<Record<string, string>>): string {
  const { alertname = '', ...others } = labels;
  const pairs = Object.entries(others).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? alertname : `${alertname}{${pairs.sort().join(',')}}`;
}
