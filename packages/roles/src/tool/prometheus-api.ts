import { type Headers, type Net, OperatingError } from '@pollux/base';
import { bodyText, callServer, urlBelow } from '../command/http-call.ts';

const TIMEOUT_MS = 120_000;

export type ApiQuestion = {
  readonly server: string;
  readonly path: string;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly method: 'GET' | 'POST';
  readonly headers: Headers;
};

export type ApiAnswer = { readonly data: unknown; readonly warnings: readonly string[] };

/** Asks the HTTP API. Throws OperatingError worded `query error: …` as promtool words it. */
export async function askServer(net: Net, question: ApiQuestion): Promise<ApiAnswer> {
  const form = new URLSearchParams();
  for (const [name, values] of Object.entries(question.parameters)) {
    for (const value of values) form.append(name, value);
  }
  const isPost = question.method === 'POST';
  const url = urlBelow(question.server, question.path);
  try {
    const response = await callServer(net, {
      method: question.method,
      url: isPost || form.size === 0 ? url : `${url}?${form.toString()}`,
      headers: {
        ...question.headers,
        ...(isPost ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(isPost ? { body: form.toString() } : {}),
      timeoutMs: TIMEOUT_MS,
    });
    return answerOf(response.status, bodyText(response));
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw new OperatingError('ROLES.QUERY', `query error: ${error.message}`);
  }
}

function answerOf(status: number, text: string): ApiAnswer {
  const body = jsonObject(text);
  if (body?.status === 'success') {
    const warnings = Array.isArray(body.warnings) ? body.warnings.map(String) : [];
    return { data: body.data, warnings };
  }
  if (body?.status === 'error')
    throw new OperatingError('ROLES.QUERY', `${String(body.errorType)}: ${String(body.error)}`);
  const kind = status >= 400 && status < 500 ? 'client' : status >= 500 ? 'server' : 'bad response';
  const detail = text === '' ? '' : ` (detail: ${text.trimEnd()})`;
  throw new OperatingError('ROLES.QUERY', `${kind}_error: ${kind} error: ${status}${detail}`);
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
