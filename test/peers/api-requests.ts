/** One request that is put to both programs. */
export type ApiRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The first minor version of the original for which it is asked; earlier ones do something else, which later requests see. */
  readonly since?: number;
};

const JSON_TYPE = { 'content-type': 'application/json' };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const silence = (more: object = {}): string =>
  JSON.stringify({
    matchers: [{ name: 'a', value: 'b', isRegex: false, isEqual: true }],
    startsAt: '2098-01-01T00:00:00.000Z',
    endsAt: '2099-01-01T00:00:00.000Z',
    createdBy: 'me',
    comment: 'why & <how>',
    ...more,
  });

/** In this order: each finds what those before it have left. */
export function apiRequests(): readonly ApiRequest[] {
  return [...changes(), ...readings(), ...methods(), ...mediaTypes()];
}

function changes(): ApiRequest[] {
  const alerts = (body: string): ApiRequest => ({
    method: 'POST',
    target: '/api/v2/alerts',
    headers: JSON_TYPE,
    body,
  });
  const silences = (body: string): ApiRequest => ({
    method: 'POST',
    target: '/api/v2/silences',
    headers: JSON_TYPE,
    body,
  });
  const begin = '"startsAt":"2000-01-01T00:00:00Z"';
  const end = '"endsAt":"2099-01-01T00:00:00Z"';
  return [
    alerts(
      `[{"labels":{"alertname":"A<b>&c","team":"db"},"annotations":{"x":"1 < 2 & \\u2028"},${begin},${end}}]`,
    ),
    alerts(
      `[{"labels":{"alertname":"B"},"generatorURL":"http://p/?a=1&b=<2>","startsAt":"2000-01-01T00:00:00Z",${end}}]`,
    ),
    alerts('[]'),
    alerts('{}'),
    alerts('null'),
    alerts(''),
    alerts('['),
    alerts('x'),
    alerts('[1]'),
    alerts('[null]'),
    alerts('"text"'),
    alerts('[{}]'),
    alerts('[{"labels":{}}]'),
    alerts('[{"labels":{"a":1}}]'),
    alerts('[{"labels":["a"]}]'),
    alerts('[{"labels":null}]'),
    alerts('[{"labels":{"a":""}}]'),
    { ...alerts('[{"labels":{"a b":"c"}}]'), since: 27 },
    alerts('[{"labels":{"":"c"}}]'),
    alerts('[{"labels":{"a":"b"},"startsAt":"x"}]'),
    alerts('[{"labels":{"a":"b"},"startsAt":7}]'),
    alerts(`[{"labels":{"a":"b"},"startsAt":"2099-02-01T00:00:00Z",${end}}]`),
    alerts('[{"labels":{"a":"b"},"generatorURL":"not a url"}]'),
    alerts('[{"labels":{"a":"b"},"generatorURL":"/path"}]'),
    alerts('[] trailing'),
    alerts('[{"labels":{"x":"no start"},"endsAt":"2099-01-01T00:00:00Z"}]'),
    alerts('[{"labels":{"alertname":"C"},"unknown":1,"annotations":null}]'),
    silences(silence()),
    silences(silence({ id: UNKNOWN })),
    silences(silence({ id: 'x' })),
    silences(silence({ id: 7 })),
    silences(silence({ matchers: [] })),
    silences(silence({ matchers: null })),
    silences(silence({ matchers: undefined })),
    silences(silence({ matchers: [{ name: 'a', value: 'b' }] })),
    silences(silence({ matchers: [{ name: 'a', isRegex: false }] })),
    silences(silence({ matchers: [{ name: '', value: 'b', isRegex: false }] })),
    silences(silence({ matchers: [{ name: 'a', value: '(', isRegex: true }] })),
    silences(silence({ matchers: [{ name: 'a', value: '', isRegex: false }] })),
    silences(silence({ matchers: [{ name: 'a', value: '.*', isRegex: true }] })),
    silences(silence({ matchers: [{ name: 'a', value: 'b', isRegex: 'x' }] })),
    silences(silence({ matchers: 'x' })),
    silences(silence({ startsAt: undefined })),
    silences(silence({ startsAt: 'x' })),
    silences(silence({ endsAt: undefined })),
    silences(silence({ endsAt: '2097-01-01T00:00:00Z' })),
    silences(silence({ startsAt: '2000-01-01T00:00:00Z', endsAt: '2000-02-01T00:00:00Z' })),
    silences(silence({ createdBy: undefined })),
    silences(silence({ createdBy: '', startsAt: '2098-02-01T00:00:00.000Z' })),
    silences(silence({ comment: undefined })),
    silences(silence({ comment: '', startsAt: '2098-03-01T00:00:00.000Z' })),
    { ...silences(silence({ annotations: { a: 1 } })), since: 33 },
    silences('{'),
    silences('[]'),
    silences('null'),
    silences(''),
    { method: 'DELETE', target: `/api/v2/silence/${UNKNOWN}` },
    { method: 'DELETE', target: '/api/v2/silence/x' },
    { method: 'DELETE', target: '/api/v2/silence/' },
    { method: 'POST', target: '/-/reload' },
    { method: 'PUT', target: '/-/reload' },
  ];
}

function readings(): ApiRequest[] {
  const targets = [
    '/api/v2/status',
    '/api/v2/receivers',
    '/api/v2/alerts',
    '/api/v2/alerts/groups',
    '/api/v2/silences',
    '/api/v2/alerts?active=false',
    '/api/v2/alerts?active=x',
    '/api/v2/alerts?active=',
    '/api/v2/alerts?active=1&silenced=0&inhibited=t&unprocessed=FALSE',
    '/api/v2/alerts?filter=alertname%3D%22B%22',
    '/api/v2/alerts?filter=alertname',
    '/api/v2/alerts?filter=alertname%3D~%22(%22',
    '/api/v2/alerts?filter=',
    '/api/v2/alerts?filter=%3Cb%3E%26',
    '/api/v2/alerts?filter=a%7D',
    '/api/v2/alerts?filter=%7Balertname%3D%22B%22%7D',
    '/api/v2/alerts?filter=%22',
    '/api/v2/alerts?filter=a%3Db&filter=c%3Dd',
    '/api/v2/alerts?receiver=hook',
    '/api/v2/alerts?receiver=(',
    '/api/v2/alerts?receiver=d.*',
    '/api/v2/alerts?unknown=1',
    '/api/v2/alerts?%zz',
    '/api/v2/alerts/groups?active=x',
    '/api/v2/alerts/groups?receiver=(',
    '/api/v2/alerts/groups?filter=(',
    '/api/v2/silences?filter=a%3Db',
    '/api/v2/silences?filter=a',
    `/api/v2/silence/${UNKNOWN}`,
    '/api/v2/silence/x',
    '/api/v2/silence/x%2Fy',
    '/api/v2/silence/',
    '/api/v2/silence',
    '/api/v2/',
    '/api/v2',
    '/api/v2/alerts/',
    '/api/v2//alerts',
    '/api/v2/nosuch',
    '/api/v2/nosuch?a=%3Cb%3E',
    '/api/v2/%3Cb%3E',
    '/api/v2/../v2/status',
    '/api/v2/swagger.json',
    '/api/v1/alerts',
    '/api/v1/status',
    '/api/v1/nosuch',
    '/api/v1',
    '/api',
    '/nosuch',
    '/-/healthy',
    '/-/ready',
    '/-/nosuch',
    '/-/reload',
  ];
  return targets.map((target) => ({ method: 'GET', target }));
}

function methods(): ApiRequest[] {
  const paths = [
    '/api/v2/status',
    '/api/v2/receivers',
    '/api/v2/alerts',
    '/api/v2/alerts/groups',
    '/api/v2/silences',
    `/api/v2/silence/${UNKNOWN}`,
    '/api/v2/nosuch',
    '/api/v1/alerts',
    '/-/healthy',
    '/-/ready',
    '/metrics',
    '/nosuch',
  ];
  return ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'POST', 'TRACE'].flatMap((method) =>
    paths
      .filter((path) => method !== 'POST' || !/alerts$|silences$/.test(path))
      .map((target) => ({ method, target })),
  );
}

function mediaTypes(): ApiRequest[] {
  const post = (type: string, target = '/api/v2/alerts', body = '[]'): ApiRequest => ({
    method: 'POST',
    target,
    headers: type === '' ? {} : { 'content-type': type },
    body,
  });
  const accepting = (accept: string, target: string): ApiRequest => ({
    method: 'GET',
    target,
    headers: { accept },
  });
  const types = [
    '',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'application/json;;',
    'nonsense',
    '*/*',
  ];
  const accepts = [
    '*/*',
    'application/*',
    'application/json',
    'text/html',
    'text/html, */*;q=0.1',
    'text/plain;q=1, application/json;q=0',
    'application/xml',
    'nonsense',
  ];
  return [
    ...types.map((type) => post(type)),
    ...types.map((type) => post(type, '/api/v2/silences', '{}')),
    ...accepts.map((accept) => accepting(accept, '/api/v2/alerts')),
    ...accepts.map((accept) => accepting(accept, '/api/v2/silence/x')),
    accepting('text/html', '/api/v2/nosuch'),
    accepting('text/html', '/api/v1/alerts'),
    {
      ...post('application/json'),
      headers: { 'content-type': 'application/json', accept: 'text/html' },
    },
    { method: 'GET', target: '/api/v2/alerts', headers: { origin: 'http://other.example' } },
    {
      method: 'OPTIONS',
      target: '/api/v2/alerts',
      headers: { origin: 'http://other.example', 'access-control-request-method': 'POST' },
    },
    { method: 'DELETE', target: `/api/v2/silence/${UNKNOWN}`, headers: { accept: 'text/html' } },
  ];
}
