import type { ApiRequest } from './api-requests.ts';

type Seen = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** A difference that is known: `even` makes both answers the same where the reason holds. */
export type Deviation = {
  readonly reason: string;
  /** The first minor version of the original that does as we do. */
  readonly below?: number;
  /** It need not show in every run. */
  readonly isByChance?: boolean;
  readonly even: (seen: Seen, request: ApiRequest) => Seen;
};

const without = (seen: Seen, ...names: readonly string[]): Seen => ({
  ...seen,
  headers: Object.fromEntries(
    Object.entries(seen.headers).filter(([name]) => !names.some((each) => name.startsWith(each))),
  ),
});

function unescaped(body: string): string {
  return body.replace(/\\u00(3c|3e|26)/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** The alerts of a group in the order of their fingerprints. */
function inOrder(body: string): string {
  return body.replace(/"alerts":\[(.*?)\],"labels"/g, (_, alerts: string) => {
    const sorted = alerts.split(/(?<=\}),(?=\{"annotations")/).sort();
    return `"alerts":[${sorted.join()}],"labels"`;
  });
}

const NONE: Seen = { status: 0, headers: {}, body: '' };
const isApi = ({ target }: ApiRequest): boolean => target.startsWith('/api/v2');

export const API_DEVIATIONS: readonly Deviation[] = [
  {
    reason: 'what other origins may do is told in each answer, and they may DELETE',
    even: (seen) => without(seen, 'access-control-', 'vary'),
  },
  {
    reason:
      'a body that is no JSON, or of the wrong type: ours names the place and what is due there',
    even: (seen, { method }) =>
      method === 'POST' && seen.status === 400 && seen.body.startsWith('{"code":400')
        ? { ...seen, body: '{"code":400…' }
        : seen,
  },
  {
    reason: 'null in place of an alert ends the connection of the original',
    even: (seen, { body }) => (body === '[null]' ? NONE : seen),
  },
  {
    reason: 'what stands behind the JSON of a body is refused',
    even: (seen, { body = '' }) => (body.endsWith('trailing') ? NONE : seen),
  },
  {
    reason: 'a pattern is shown as it is written, not as it is anchored',
    even: (seen) => ({ ...seen, body: seen.body.replace(/`\^?\(\?:\(\)\$?`|`\(`/, '`(`') }),
  },
  {
    reason: 'paths that are not clean are not there; the original redirects to the clean one',
    even: (seen, { target }) => (/^\/api\/v2$|\/\/|\.\./.test(target) ? NONE : seen),
  },
  {
    reason: 'refusals outside the API are not marked for browsers that guess types',
    even: (seen) => without(seen, 'x-content-type-options'),
  },
  {
    reason: 'OPTIONS are served for other origins only, and HEAD wherever GET is, outside the API',
    even: (seen, one) => {
      if (isApi(one)) return seen;
      return ['OPTIONS', 'HEAD'].includes(one.method) ? NONE : without(seen, 'allow');
    },
  },
  {
    reason: 'an answer without content still names its type',
    even: (seen) =>
      seen.body === '' && seen.status === 200 ? without(seen, 'content-type') : seen,
  },
  {
    reason: 'the original lists the alerts of a group in no order',
    isByChance: true,
    even: (seen, { target }) =>
      target.includes('groups') ? { ...seen, body: inOrder(seen.body) } : seen,
  },
  {
    reason: 'labels and receiver of a group are escaped as those of its alerts are',
    even: (seen, { target }) =>
      target.includes('groups') ? { ...seen, body: unescaped(seen.body) } : seen,
  },
  {
    reason:
      'annotations of a silence are there also when there are none, as the description of the API wants',
    even: (seen, { target }) =>
      target.includes('/silence')
        ? { ...seen, body: seen.body.replaceAll('"annotations":{},', '') }
        : seen,
  },
  {
    reason: 'any type at all (*/*) is no type of a body; the original calls that its own fault',
    even: (seen, { headers = {} }) =>
      headers['content-type'] === '*/*' && [415, 500].includes(seen.status) ? NONE : seen,
  },
  {
    reason: 'answers are not to be stored',
    below: 27,
    even: (seen) => without(seen, 'cache-control'),
  },
  {
    reason: 'silences with several sets of matchers came later, and with them other words',
    below: 33,
    even: (seen, { target }) =>
      target.includes('silences')
        ? {
            ...seen,
            body: seen.body
              .replace(/silence invalid|invalid silence/, 'invalid')
              .replace(/ in set 0|matcher set 0: /, ''),
          }
        : seen,
  },
  {
    reason: 'to end a silence that is not there was an internal error',
    below: 27,
    even: (seen, { method, target }) =>
      method === 'DELETE' && target.includes('/silence/0') ? NONE : seen,
  },
  {
    reason:
      'alerts and groups tell more, receivers have labels, the configuration has other defaults',
    below: 34,
    even: (seen) => ({
      ...seen,
      body: seen.body
        .replaceAll('"mutedBy":[],', '')
        .replaceAll(',"routeLabels":{}', '')
        .replace(/"labels":\{"name":"[^"]*"\},/g, '')
        .replace(/"config":\{"original":"(?:[^"\\]|\\.)*"\}/, '"config":{…}'),
    }),
  },
  {
    reason: 'version 1 of the API was served',
    below: 27,
    even: (seen, { target }) => (target.startsWith('/api/v1') ? NONE : seen),
  },
  {
    reason:
      'a type that is none was an unsupported one, and what pages of others may do was told with 200',
    below: 34,
    even: (seen, { method, headers = {} }) =>
      headers['content-type'] === 'nonsense' ||
      (method === 'OPTIONS' && headers.origin !== undefined)
        ? NONE
        : seen,
  },
  {
    reason: 'braces around a single matcher were a bad format',
    below: 27,
    even: (seen) => ({
      ...seen,
      body: seen.body.replace(/unexpected open or close brace|bad matcher format/, 'bad'),
    }),
  },
];
