import { compareText } from '@pollux/model';
import type { ApiHandler } from '../call.ts';
import type { CoveragePort, StatusPort } from '../ports.ts';
import { ApiError, badData, invalidParameter } from '../wire/errors.ts';
import { parseInteger, timeParameter } from '../wire/parameters.ts';

const DEFAULT_TSDB_LIMIT = 10;
const MAX_TSDB_LIMIT = 10_000;

/** The pages below /api/v1/status, by the last part of their path. */
export function statusPages(status: StatusPort): Readonly<Record<string, ApiHandler>> {
  return {
    config: () => ({ kind: 'data', data: { yaml: status.configYaml() } }),
    flags: () => ({ kind: 'data', data: sorted(status.flags()) }),
    buildinfo: () => ({ kind: 'data', data: status.buildInfo }),
    runtimeinfo: () => ({ kind: 'data', data: status.runtimeInfo() }),
    tsdb: async ({ form }) => ({ kind: 'data', data: await status.tsdb(tsdbLimit(form)) }),
  };
}

/** /api/v1/status/walreplay; answers while the server is not ready. */
export function walReplay(status: StatusPort): ApiHandler {
  return () => ({ kind: 'data', data: status.walReplay() });
}

/** /api/v1/features */
export function features(status: StatusPort): ApiHandler {
  return () => {
    const categories = Object.entries(sorted(status.features()));
    const data = Object.fromEntries(categories.map(([name, list]) => [name, sorted(list)]));
    return { kind: 'encoded', pieces: [JSON.stringify(data)], annotations: [] };
  };
}

/** /api/v1/notifications: none are raised yet. */
export const notifications: ApiHandler = () => ({ kind: 'data', data: [] });

/** /api/v1/pollux/cardinality?by=metric|label|job&limit=&since= */
export function cardinality(status: StatusPort): ApiHandler {
  return ({ form }) => {
    const by = form.get('by') ?? 'metric';
    if (by !== 'metric' && by !== 'label' && by !== 'job')
      throw invalidParameter('by', `${JSON.stringify(by)} is none of metric, label, job`);
    const sinceMs = form.has('since') ? timeParameter(form, 'since') : null;
    return { kind: 'data', data: status.cardinality(by, tsdbLimit(form), sinceMs) };
  };
}

/** /api/v1/pollux/coverage */
export function coverage(port: CoveragePort | null): ApiHandler {
  return ({ form }) => {
    if (port === null) throw new ApiError('not_found', 'this server keeps no coverage');
    const bound = (name: string): number | null =>
      form.has(name) ? timeParameter(form, name) : null;
    return { kind: 'bare', data: port.report(bound('start'), bound('end')) };
  };
}

/** /api/v1/pollux/status */
export function details(status: StatusPort): ApiHandler {
  return () => ({ kind: 'bare', data: status.details?.() ?? {} });
}

function tsdbLimit(form: URLSearchParams): number {
  const text = form.get('limit') ?? '';
  if (text === '') return DEFAULT_TSDB_LIMIT;
  const limit = parseInteger(text);
  if (limit === null || limit < 1) throw badData('limit must be a positive number');
  if (limit > MAX_TSDB_LIMIT) throw badData(`limit must not exceed ${MAX_TSDB_LIMIT}`);
  return limit;
}

function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => compareText(a, b)));
}
