import { OperatingError } from '@pollux/base';
import { parseDuration } from '@pollux/model';
import type { Call, Subcommand } from '../command/command-line.ts';
import { goDurationMs } from '../command/go-duration.ts';
import type { Operation } from './api.ts';
import type { Around } from './around.ts';
import { filtersOf, matchersOf, pairsOf } from './matchers.ts';
import { type SilenceJson, silencesText } from './silence-format.ts';
import { timeOf } from './time-flag.ts';

const GET: Operation = { method: 'GET', template: '/silences', name: 'getSilences' };
export const POST_SILENCE: Operation = {
  method: 'POST',
  template: '/silences',
  name: 'postSilences',
};
const DELETE: Operation = {
  method: 'DELETE',
  template: '/silence/{silenceID}',
  name: 'deleteSilence',
};

export const silenceQuery: Subcommand<Around> = {
  words: ['silence', 'query'],
  isDefault: true,
  help: 'Query Alertmanager silences.',
  flags: {
    expired: { kind: 'switch', help: 'Show expired silences instead of active.' },
    quiet: { kind: 'switch', short: 'q', help: 'Only show silence ids.' },
    'created-by': { kind: 'text', help: 'Show silences that belong to this creator.' },
    id: { kind: 'text', help: 'Get a single silence by its ID.' },
    within: { kind: 'text', help: 'Show silences that expire or have expired within a duration.' },
  },
  args: ['matcher-groups…?'],
  run: async (call, { context, settings, api, matcherMode }) => {
    const accepts = silenceFilter(call, context.env.clock.now());
    const query = new URLSearchParams();
    for (const filter of filtersOf(call.args, matcherMode(call))) query.append('filter', filter);
    const path = query.size === 0 ? '/silences' : `/silences?${query.toString()}`;
    const all = await api(call, GET, { path });
    const found = (all as readonly SilenceJson[]).filter(accepts);
    context.stdout.write(silencesText(found, call.isOn('quiet'), settings(call)));
    return 0;
  },
};

export const silenceAdd: Subcommand<Around> = {
  words: ['silence', 'add'],
  help: 'Add a new alertmanager silence.',
  flags: {
    author: { kind: 'text', short: 'a', help: 'Username for the CreatedBy field.' },
    'require-comment': { kind: 'switch', help: 'Require a comment on silence creation.' },
    duration: { kind: 'text', short: 'd', fallback: '1h', help: 'Duration of silence.' },
    start: { kind: 'text', help: 'When the silence should start, RFC3339.' },
    end: { kind: 'text', help: 'When the silence should end (overrides duration), RFC3339.' },
    comment: { kind: 'text', short: 'c', help: 'A comment to help describe the silence.' },
    annotation: { kind: 'list', help: 'An annotation of the silence, as name=value.' },
  },
  args: ['matcher-groups…?'],
  run: async (call, { context, settings, api, matcherMode }) => {
    const matchers = matchersOf(call.args, matcherMode(call));
    if (matchers.length === 0) throw refused('no matchers specified');
    const { startMs, endMs } = silenceTimes(call, context.env.clock.now());
    const { author, requiresComment } = settings(call);
    const isCommentRequired = call.has('require-comment')
      ? call.isOn('require-comment')
      : requiresComment;
    if (isCommentRequired && call.text('comment') === '')
      throw refused('comment required by config');
    const body = {
      matchers: matchers.map(({ name, operator, value }) => ({
        name,
        value,
        isRegex: operator.endsWith('~'),
        isEqual: operator.startsWith('='),
      })),
      startsAt: new Date(startMs).toISOString(),
      endsAt: new Date(endMs).toISOString(),
      createdBy: call.text('author') || author || context.userName,
      comment: call.text('comment'),
      ...(call.has('annotation')
        ? { annotations: pairsOf(call.list('annotation'), 'annotations', matcherMode(call)) }
        : {}),
    };
    const answer = await api(call, POST_SILENCE, {
      path: '/silences',
      body,
    });
    context.stdout.write(`${(answer as { readonly silenceID: string }).silenceID}\n`);
    return 0;
  },
};

export const silenceExpire: Subcommand<Around> = {
  words: ['silence', 'expire'],
  help: 'Expire an alertmanager silence.',
  args: ['silence-ids…?'],
  run: async (call, { api }) => {
    if (call.args.length === 0) throw refused('no silence IDs specified');
    for (const id of call.args) {
      const path = `/silence/${encodeURIComponent(id)}`;
      await api(call, DELETE, { path });
    }
    return 0;
  },
};

function silenceFilter(call: Call, nowMs: number): (silence: SilenceJson) => boolean {
  const isExpired = call.isOn('expired');
  const withinMs = call.has('within') ? goDurationMs(call.text('within')) : 0;
  const creator = call.text('created-by');
  const wantedId = call.text('id');
  return ({ id, endsAt, createdBy }) => {
    const endMs = Date.parse(endsAt);
    if (isExpired ? endMs > nowMs : endMs < nowMs) return false;
    if (withinMs > 0 && (isExpired ? endMs < nowMs - withinMs : endMs > nowMs + withinMs))
      return false;
    if (wantedId !== '' && id !== wantedId) return false;
    return creator === '' || creator === createdBy;
  };
}

function silenceTimes(
  call: Call,
  nowMs: number,
): { readonly startMs: number; readonly endMs: number } {
  const startMs = call.has('start') ? timeOf(call.text('start')) : nowMs;
  const durationMs = call.has('end') ? 0 : duration(call.text('duration'));
  if (!call.has('end') && durationMs === 0)
    throw refused('silence duration must be greater than 0');
  const endMs = call.has('end') ? timeOf(call.text('end')) : startMs + durationMs;
  if (startMs > endMs) throw refused('silence cannot start after it ends');
  return { startMs, endMs };
}

export function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw refused(`not a valid duration string: ${JSON.stringify(text)}`);
  }
}

export function refused(message: string): OperatingError {
  return new OperatingError('ROLES.AMTOOL', message);
}
