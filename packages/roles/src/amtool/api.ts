import { OperatingError } from '@pollux/base';
import { goJson } from '../command/go-text.ts';
import { bodyText, callServer } from '../command/http-call.ts';
import type { Settings } from './settings.ts';

/** One operation of the API v2: how messages name it, and the statuses that its description has. */
export type Operation = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With placeholders, as in the API description. */
  readonly template: string;
  readonly name: string;
};

/** The server refused. */
export class ApiRefusal extends OperatingError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('ROLES.AMTOOL', message);
    this.status = status;
  }
}

const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  404: 'NotFound',
  500: 'InternalServerError',
};

export type ApiRequest = {
  /** Below `/api/v2`, with its query. */
  readonly path: string;
  readonly body?: unknown;
};

/** Calls an operation and gives the JSON it answers, null for none. Throws OperatingError in amtool's words. */
export async function callApi(
  settings: Settings,
  operation: Operation,
  request: ApiRequest,
): Promise<unknown> {
  const response = await callServer(settings.net, {
    method: operation.method,
    url: `${settings.server}/api/v2${request.path}`,
    headers: {
      ...settings.headers,
      accept: 'application/json',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    timeoutMs: settings.timeoutMs,
  });
  const text = bodyText(response);
  if (response.status === 200) return text === '' ? null : parsed(text);
  const { method, template, name } = operation;
  const statusName = STATUS_NAMES[response.status];
  if (statusName === undefined) {
    throw new OperatingError(
      'ROLES.AMTOOL',
      `response status code does not match any response statuses defined for this endpoint in the swagger spec (status ${response.status}): ${text.trim() || '{}'}`,
    );
  }
  const detail = messageOf(text);
  // The description of the API gives "not found" no content.
  const isTold = response.status !== 404 && detail !== '';
  throw new ApiRefusal(
    response.status,
    `[${method} ${template}][${response.status}] ${name}${statusName}${isTold ? ` ${goJson(detail)}` : ''}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OperatingError('ROLES.AMTOOL', 'the answer is no JSON; is this an Alertmanager?', {
      cause,
    });
  }
}

/** Errors come as a JSON string, or as an object with a message. */
function messageOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'string') return value.trimEnd();
    if (typeof value === 'object' && value !== null && 'message' in value)
      return String(value.message);
  } catch {
    // Not JSON: the text speaks for itself.
  }
  return text.trimEnd();
}
