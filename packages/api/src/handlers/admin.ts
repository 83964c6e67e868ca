import { errorText } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import type { ApiHandler } from '../call.ts';
import type { AdminPort } from '../ports.ts';
import { ApiError, badData, invalidParameter } from '../wire/errors.ts';
import { ALL_TIME, matchersParameter, parseBool, timeParameter } from '../wire/parameters.ts';

/** /api/v1/admin/tsdb/delete_series */
export function deleteSeries(admin: AdminPort | null): ApiHandler {
  return async ({ form }) => {
    const port = enabled(admin);
    if (!form.has('match[]')) throw badData('no match[] parameter provided');
    const range = {
      minMs: timeParameter(form, 'start', ALL_TIME.minMs),
      maxMs: timeParameter(form, 'end', ALL_TIME.maxMs),
    };
    // All are read before any is carried out.
    const sets = deletionMatchers(form);
    for (const matchers of sets) await internal(port.deleteSeries(range, matchers));
    return { kind: 'empty' };
  };
}

/** A selector of everything is refused: no slip of a script shall empty the database. */
function deletionMatchers(form: URLSearchParams): Matcher[][] {
  try {
    return matchersParameter(form);
  } catch (error) {
    throw error instanceof ApiError ? invalidParameter('match[]', error.message) : error;
  }
}

/** /api/v1/admin/tsdb/clean_tombstones */
export function cleanTombstones(admin: AdminPort | null): ApiHandler {
  return async () => {
    await internal(enabled(admin).cleanTombstones());
    return { kind: 'empty' };
  };
}

/** /api/v1/admin/tsdb/snapshot */
export function snapshot(admin: AdminPort | null): ApiHandler {
  return async ({ form }) => {
    const port = enabled(admin);
    const written = form.get('skip_head') ?? '';
    const skipHead = written === '' ? false : parseBool(written);
    if (skipHead === null) {
      throw invalidParameter(
        'skip_head',
        `unable to parse boolean ${JSON.stringify(written)} argument`,
      );
    }
    return { kind: 'data', data: { name: await internal(port.snapshot(skipHead)) } };
  };
}

function enabled(admin: AdminPort | null): AdminPort {
  if (admin === null) throw new ApiError('unavailable', 'admin APIs disabled');
  return admin;
}

async function internal<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new ApiError('internal', errorText(error), { cause: error });
  }
}
