import { errorText, type HttpClientResponse, type Net } from '@pollux/base';
import { UnavailableError } from '@pollux/storage';
import { TargetRefusedError } from './errors.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;
const SHOWN_ANSWER_LENGTH = 500;
/** About the samples themselves. All others, wrong passwords and databases that are missing too, somebody can mend. */
const REFUSALS = [400, 413, 422];

export type TargetRequest = {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
};

/** Gives samples to a store over HTTP; see `TextTarget.send` for what is thrown. */
export async function postSamples(net: Net, request: TargetRequest): Promise<void> {
  const { name, url, headers, body, timeoutMs } = request;
  let answer: HttpClientResponse;
  try {
    answer = await net.request({
      method: 'POST',
      url,
      headers,
      body,
      timeoutMs,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
  } catch (error) {
    throw new UnavailableError(`${name}: ${errorText(error)}`);
  }
  if (answer.status >= 200 && answer.status < 300) return;
  const said = new TextDecoder().decode(answer.body).trim().slice(0, SHOWN_ANSWER_LENGTH);
  const reason = `HTTP status ${answer.status}: ${said}`;
  if (REFUSALS.includes(answer.status)) throw new TargetRefusedError(name, reason);
  throw new UnavailableError(`${name}: ${reason}`);
}
