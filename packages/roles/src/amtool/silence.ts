import { OperatingError } from '@pollux/base';
import { parseDuration } from '@pollux/model';
import type { Call, Subcommand } from '../command/command-line.ts';
import { goJson } from '../command/go-text.ts';
import { callApi, type Operation } from './api.ts';
import type { Around } from './around.ts';
import { filtersOf, matchersOf } from './matchers.ts';
import { type SilenceJson, silencesJson, silencesTable } from './silence-format.ts';
import { timeOf } from './time-flag.ts';

const GET: Operation = { method: 'GET', template: '/silences', name: 'getSilences' };
const POST: Operation = { method: 'POST', template: '/silences', name: 'postSilences' };
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
    within: { kind: 'text', help: 'Show silences that expire or have expired within a duration.' },
  },
  args: ['matcher-groups…?'],
  run: async (call, { context, settings }) => {
    const accepts = silenceFilter(call, context.env.clock.now());
    const query = new URLSearchParams();
    for (const filter of filtersOf(call.args)) query.append('filter', filter);
    const path = query.size === 0 ? '/silences' : `/silences?${query.toString()}`;
    const all = await callApi(context.env.net, settings(call), GET, { path });
    const found = (all as readonly SilenceJson[]).filter(accepts);
    const { output, dateFormat } = settings(call);
    if (call.isOn('quiet')) context.stdout.write(found.map(({ id }) => `${id}\n`).join(''));
    else if (output === 'json') context.stdout.write(`${goJson(silencesJson(found))}\n`);
    else context.stdout.write(silencesTable(found, output, dateFormat));
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
  },
  args: ['matcher-groups…?'],
  run: async (call, { context, settings }) => {
    const matchers = matchersOf(call.args);
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
    };
    const answer = await callApi(context.env.net, settings(call), POST, {
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
  run: async (call, { context, settings }) => {
    if (call.args.length === 0) throw refused('no silence IDs specified');
    for (const id of call.args) {
      const path = `/silence/${encodeURIComponent(id)}`;
      await callApi(context.env.net, settings(call), DELETE, { path });
    }
    return 0;
  },
};

function silenceFilter(call: Call, nowMs: number): (silence: SilenceJson) => boolean {
  const isExpired = call.isOn('expired');
  const withinMs = call.has('within') ? duration(call.text('within')) : 0;
  const creator = call.text('created-by');
  return ({ endsAt, createdBy }) => {
    const endMs = Date.parse(endsAt);
    if (isExpired ? endMs > nowMs : endMs < nowMs) return false;
    if (withinMs > 0 && (isExpired ? endMs < nowMs - withinMs : endMs > nowMs + withinMs))
      return false;
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

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw refused(`not a valid duration string: ${JSON.stringify(text)}`);
  }
}

function refused(message: string): OperatingError {
  return new OperatingError('ROLES.AMTOOL', message);
}
