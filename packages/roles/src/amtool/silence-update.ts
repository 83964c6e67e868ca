import type { Subcommand } from '../command/command-line.ts';
import type { Operation } from './api.ts';
import type { Around } from './around.ts';
import { duration, POST_SILENCE, refused } from './silence.ts';
import { type SilenceJson, silencesText } from './silence-format.ts';
import { timeOf } from './time-flag.ts';

const GET: Operation = {
  method: 'GET',
  template: '/silence/{silenceID}',
  name: 'getSilence',
};

/** Each silence is read, changed and posted again under its id; what becomes of them is shown. */
export const silenceUpdate: Subcommand<Around> = {
  words: ['silence', 'update'],
  help: 'Update silences.',
  flags: {
    quiet: { kind: 'switch', short: 'q', help: 'Only show silence ids.' },
    duration: { kind: 'text', short: 'd', help: 'Duration of silence, from its start.' },
    start: { kind: 'text', help: 'When the silence should start, RFC3339.' },
    end: { kind: 'text', help: 'When the silence should end (overrides duration), RFC3339.' },
    comment: { kind: 'text', short: 'c', help: 'A comment to help describe the silence.' },
  },
  args: ['update-ids…?'],
  run: async (call, { context, settings, api }) => {
    if (call.args.length === 0) throw refused('no silence IDs specified');
    const updated: SilenceJson[] = [];
    for (const id of call.args) {
      const path = `/silence/${encodeURIComponent(id)}`;
      const found = (await api(call, GET, { path })) as SilenceJson;
      const changed = { ...found, ...timesOf(call, found) };
      if (call.text('comment') !== '') changed.comment = call.text('comment');
      const { status: _status, updatedAt: _updatedAt, ...body } = changed;
      const answer = await api(call, POST_SILENCE, { path: '/silences', body });
      updated.push({ ...changed, id: (answer as { readonly silenceID: string }).silenceID });
    }
    context.stdout.write(silencesText(updated, call.isOn('quiet'), settings(call)));
    return 0;
  },
};

function timesOf(
  call: Parameters<Subcommand<Around>['run']>[0],
  { startsAt, endsAt }: SilenceJson,
): Pick<SilenceJson, 'startsAt' | 'endsAt'> {
  const startMs = call.text('start') === '' ? Date.parse(startsAt) : timeOf(call.text('start'));
  let endMs = Date.parse(endsAt);
  if (call.text('end') !== '') endMs = timeOf(call.text('end'));
  else if (call.text('duration') !== '') {
    const durationMs = duration(call.text('duration'));
    if (durationMs === 0) throw refused('silence duration must be greater than 0');
    endMs = startMs + durationMs;
  }
  if (startMs > endMs) throw refused('silence cannot start after it ends');
  return { startsAt: new Date(startMs).toISOString(), endsAt: new Date(endMs).toISOString() };
}
