import type { CommandFlags, Subcommand } from '../command/command-line.ts';
import { goJson } from '../command/go-text.ts';
import { type AlertJson, alertsJson, alertsTable } from './alert-format.ts';
import type { Around } from './around.ts';
import { filtersOf, labelsOf, pairsOf } from './matchers.ts';
import { timeOf } from './time-flag.ts';

const STATES: CommandFlags = {
  inhibited: { kind: 'switch', short: 'i', help: 'Show inhibited alerts.' },
  silenced: { kind: 'switch', short: 's', help: 'Show silenced alerts.' },
  active: { kind: 'switch', short: 'a', help: 'Show active alerts.' },
  unprocessed: { kind: 'switch', short: 'u', help: 'Show unprocessed alerts.' },
};

export const alertQuery: Subcommand<Around> = {
  words: ['alert', 'query'],
  isDefault: true,
  help: 'View and search through current alerts; only active ones unless a state is asked for.',
  flags: {
    ...STATES,
    receiver: { kind: 'text', short: 'r', help: 'Show alerts matching receiver (regex).' },
  },
  args: ['matcher-groups…?'],
  run: async (call, { context, settings, api, matcherMode }) => {
    const isAnyAsked = Object.keys(STATES).some((state) => call.isOn(state));
    const query = new URLSearchParams();
    query.set('active', String(call.isOn('active') || !isAnyAsked));
    for (const filter of filtersOf(call.args, matcherMode(call))) query.append('filter', filter);
    query.set('inhibited', String(call.isOn('inhibited')));
    if (call.has('receiver')) query.set('receiver', call.text('receiver'));
    query.set('silenced', String(call.isOn('silenced')));
    query.set('unprocessed', String(call.isOn('unprocessed')));
    const operation = { method: 'GET', template: '/alerts', name: 'getAlerts' } as const;
    const found = (await api(call, operation, {
      path: `/alerts?${query.toString()}`,
    })) as readonly AlertJson[];
    const { output, dateFormat } = settings(call);
    context.stdout.write(
      output === 'json' ? `${goJson(alertsJson(found))}\n` : alertsTable(found, output, dateFormat),
    );
    return 0;
  },
};

export const alertAdd: Subcommand<Around> = {
  words: ['alert', 'add'],
  help: 'Add a new alert.',
  flags: {
    'generator-url': { kind: 'text', help: 'URL of the source that generated the alert.' },
    start: { kind: 'text', help: 'When the alert should start, RFC3339.' },
    end: { kind: 'text', help: 'When the alert should end, RFC3339.' },
    annotation: { kind: 'list', help: 'An annotation, as name=value.' },
  },
  args: ['labels…?'],
  run: async (call, { api, matcherMode }) => {
    const labels = labelsOf(call.args, matcherMode(call));
    const annotations = pairsOf(call.list('annotation'), 'annotations', matcherMode(call));
    const alert = {
      labels,
      annotations,
      ...(call.has('start') ? { startsAt: isoTime(call.text('start')) } : {}),
      ...(call.has('end') ? { endsAt: isoTime(call.text('end')) } : {}),
      ...(call.has('generator-url') ? { generatorURL: call.text('generator-url') } : {}),
    };
    const operation = { method: 'POST', template: '/alerts', name: 'postAlerts' } as const;
    await api(call, operation, { path: '/alerts', body: [alert] });
    return 0;
  },
};

function isoTime(text: string): string {
  return new Date(timeOf(text)).toISOString();
}
