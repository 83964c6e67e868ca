import {
  type Headers,
  type HttpClientResponse,
  type Net,
  OperatingError,
  systemCode,
  type TlsClientOptions,
} from '@pollux/base';

export type HttpCall = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers?: Headers;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly tls?: TlsClientOptions;
  readonly maxBodyBytes?: number;
};

const MAX_ANSWER_BYTES = 1024 * 1024 * 1024;

/** One exchange of a command. A server that cannot be reached is an OperatingError worded as Go's clients word it. */
export async function callServer(
  net: Pick<Net, 'request'>,
  call: HttpCall,
): Promise<HttpClientResponse> {
  const { protocol, host } = parsedUrl(call.url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw unreachable(call, `unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`);
  try {
    return await net.request({ maxBodyBytes: MAX_ANSWER_BYTES, ...call });
  } catch (error) {
    const code = rootCode(error);
    if (code === 'ECONNREFUSED')
      throw unreachable(call, `dial tcp ${host}: connect: connection refused`);
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      throw unreachable(call, `dial tcp: lookup ${host}: no such host`);
    throw error;
  }
}

/** A server's address as the user wrote it; without a scheme it is http. Throws OperatingError. */
export function parsedUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new OperatingError(
      'ROLES.BAD_URL',
      `${JSON.stringify(text)} is no URL; write http://host:port`,
    );
  return new URL(text);
}

/** A path below the server's URL, which may have a path of its own. */
export function urlBelow(server: string, path: string): string {
  const base = parsedUrl(/^[a-z]+:\/\//.test(server) ? server : `http://${server}`);
  return `${base.origin === 'null' ? `${base.protocol}//${base.host}` : base.origin}${base.pathname.replace(/\/+$/, '')}${path}`;
}

export function bodyText(response: HttpClientResponse): string {
  return new TextDecoder().decode(response.body);
}

function unreachable(call: HttpCall, why: string): OperatingError {
  const verb = `${call.method[0] ?? ''}${call.method.slice(1).toLowerCase()}`;
  // No cause: it says the same in other words, and the text would hold both.
  return new OperatingError('ROLES.UNREACHABLE', `${verb} ${JSON.stringify(call.url)}: ${why}`);
}

/** The system code at the end of the chain of causes; several tried addresses count as the first. */
function rootCode(error: unknown): string {
  let code = '';
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    code = systemCode(current) || code;
    current = current instanceof AggregateError ? (current.errors[0] as unknown) : current.cause;
  }
  return code;
}
