import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { answer, done } from '../api/respond.ts';
import { formatDateTime } from '../api/time.ts';
import { upcoming } from '../silence/recurring/materialise.ts';
import { parseSchedule, type RecurringSilence } from '../silence/recurring/recurring-silence.ts';
import { spellMatcher } from '../silence/silence.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { NotFoundError, RequestError } from './errors.ts';
import { Fields } from './input.ts';
import { checkMatchers } from './silences-api.ts';

const SHOWN_AHEAD_MS = 8 * 24 * 3_600_000;
const SHOWN = 10;
const MAX_SCHEDULE = 4_000;

/** A silence that comes back by the calendar; the first ordinary ones are there with the answer. */
export async function postRecurring(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const { recurring, materialiser } = api.silencesBeyond;
  const fields = await Fields.of(exchange);
  const matchers = fields.matchers('matchers', api.matcherMode);
  const schedule = JSON.stringify(fields.list('schedule', 50));
  const createdBy = fields.text('createdBy', 200) || exchange.principal.user;
  const comment = fields.requiredText('comment', 4_000);
  fields.end();
  checkMatchers(matchers);
  if (createdBy === '') throw new RequestError('createdBy', 'is required');
  if (schedule.length > MAX_SCHEDULE) throw new RequestError('schedule', 'is too long');
  parseSchedule(schedule);
  const created = recurring.create({
    matchers: matchers.map(({ name, operator, value }) => ({ name, operator, pattern: value })),
    schedule,
    createdBy,
    comment,
  });
  await materialiser.run(true);
  return answer(200, await recurringView(api, created));
}

export async function getRecurring(api: ApiV3): Promise<HttpResponse> {
  const views = [];
  for (const item of api.silencesBeyond.recurring.live())
    views.push(await recurringView(api, item));
  return answer(200, { recurring: views });
}

/** Takes it back, and ends the silences that were made of it. */
export async function deleteRecurring(api: ApiV3, { params }: Exchange): Promise<HttpResponse> {
  const { recurring, materialiser } = api.silencesBeyond;
  const id = params.id ?? '';
  if (recurring.get(id) === undefined) {
    throw new NotFoundError('id', `recurring silence ${id} is not known here`);
  }
  recurring.delete(id);
  materialiser.endOf(id);
  return done();
}

async function recurringView({ clock }: ApiV3, item: RecurringSilence): Promise<object> {
  const next = await upcoming(item, clock, clock.now() + SHOWN_AHEAD_MS);
  return {
    id: item.id,
    matchers: item.matchers.map(spellMatcher),
    schedule: JSON.parse(item.schedule) as unknown,
    createdBy: item.createdBy,
    comment: item.comment,
    createdAt: formatDateTime(item.createdMs),
    next: next.slice(0, SHOWN).map(({ fromMs, untilMs }) => ({
      startsAt: formatDateTime(fromMs),
      endsAt: formatDateTime(untilMs),
    })),
  };
}
