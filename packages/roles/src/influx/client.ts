import { type HttpClientResponse, type Net, OperatingError } from '@pollux/base';
import { bodyText, callServer } from '../command/http-call.ts';
import { type Answer, readAnswer } from './answer.ts';

const PING_TIMEOUT_MS = 30_000;
/** A statement may take as long as its user waits; this only ends what is surely lost. */
const QUERY_TIMEOUT_MS = 24 * 60 * 60 * 1_000;

export type Connection = {
  readonly isTls: boolean;
  readonly isUnsafeTls: boolean;
  readonly host: string;
  readonly port: number;
  readonly pathPrefix: string;
  readonly username: string;
  readonly password: string;
};

/** `host:port` of a connection, IPv6 addresses in brackets. */
export function addressText({ host, port }: Connection): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The server's address as messages show it. */
export function serverUrl(connection: Connection): string {
  const prefix = connection.pathPrefix.replace(/^\/*|\/+$/g, '');
  const base = `${connection.isTls ? 'https' : 'http'}://${addressText(connection)}`;
  return prefix === '' ? base : `${base}/${prefix}`;
}

/** The version that the server says it has. Throws OperatingError when it cannot be reached. */
export async function ping(net: Net, connection: Connection): Promise<string> {
  const response = await send(net, connection, { method: 'GET', path: '/ping' }, PING_TIMEOUT_MS);
  return response.headers['x-influxdb-version'] ?? 'unknown';
}

/** Runs statements. An error of the server is in the answer; throws OperatingError when there is none. */
export async function query(
  net: Net,
  connection: Connection,
  parameters: Readonly<Record<string, string>>,
  timeoutMs = QUERY_TIMEOUT_MS,
): Promise<Answer> {
  const body = new URLSearchParams(parameters).toString();
  const request = { method: 'POST', path: '/query', body, isForm: true } as const;
  const response = await send(net, connection, request, timeoutMs);
  const text = bodyText(response);
  if (response.status !== 200 && !text.trimStart().startsWith('{')) {
    throw new OperatingError(
      'ROLES.INFLUX_ANSWER',
      `received status code ${response.status} from server: ${text.trim()}`,
    );
  }
  return readAnswer(text);
}

/** Writes a line of points. Throws OperatingError with the body of a refusal. */
export async function write(
  net: Net,
  connection: Connection,
  parameters: Readonly<Record<string, string>>,
  line: string,
): Promise<void> {
  const path = `/write?${new URLSearchParams(parameters).toString()}`;
  const request = { method: 'POST', path, body: line, isForm: false } as const;
  const response = await send(net, connection, request, QUERY_TIMEOUT_MS);
  if (response.status !== 200 && response.status !== 204)
    throw new OperatingError('ROLES.INFLUX_WRITE', bodyText(response));
}

type ServerRequest = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly isForm?: boolean;
};

function send(
  net: Net,
  connection: Connection,
  request: ServerRequest,
  timeoutMs: number,
): Promise<HttpClientResponse> {
  const { username, password, isTls, isUnsafeTls } = connection;
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  return callServer(net, {
    method: request.method,
    url: `${serverUrl(connection)}${request.path}`,
    headers: {
      'user-agent': 'InfluxDBShell/pollux',
      ...(request.isForm === true ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...(username === '' ? {} : { authorization: `Basic ${credentials}` }),
    },
    ...(request.body === undefined ? {} : { body: request.body }),
    timeoutMs,
    ...(isTls ? { tls: { insecureSkipVerify: isUnsafeTls } } : {}),
  });
}
