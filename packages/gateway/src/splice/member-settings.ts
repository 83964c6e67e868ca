import { errorText, type Net, OperatingError, type StopSignal } from '@pollux/base';
import { type ConfigNode, entryOf, parseYaml } from '@pollux/config';
import { Labels, parseDuration } from '@pollux/model';
import { candidates, LAST_RESORT_MS, type Upstream } from '../upstream.ts';
import { MemberReadError } from './member-read-error.ts';

/** What of a member's configuration an answer from its raw samples depends on. */
export type MemberSettings = {
  /** Remote read adds them to every series; queries answer without them. */
  readonly externalLabels: Labels;
  /** Step of subqueries that name none. */
  readonly evaluationIntervalMs: number;
};

const DEFAULT_INTERVAL_MS = 60_000;
const MAX_SETTINGS_BYTES = 32 * 1024 * 1024;

/** Rejects with {@link MemberReadError}. */
export async function fetchMemberSettings(
  upstream: Upstream,
  how: {
    readonly net: Net;
    readonly headers: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal: StopSignal;
  },
): Promise<MemberSettings> {
  const { net, headers, timeoutMs, signal } = how;
  try {
    const request = {
      method: 'GET',
      url: `${upstream.url}/api/v1/status/config`,
      headers,
      timeoutMs: upstream.isUp ? timeoutMs : LAST_RESORT_MS,
      maxBodyBytes: MAX_SETTINGS_BYTES,
    };
    const { status, body } = await upstream.send(net, request, signal);
    if (status === 200) return readMemberSettings(body, upstream.name);
    throw new MemberReadError(upstream, `/api/v1/status/config answered ${status}`, {
      isUnable: status < 500,
    });
  } catch (error) {
    if (signal.aborted || !OperatingError.is(error)) throw error;
    if (error instanceof MemberReadError) throw error;
    const isUnable = error.code === 'GATEWAY.BAD_SETTINGS';
    throw new MemberReadError(upstream, 'no settings', { isUnable, cause: error });
  }
}

/** Of the first server that shows them: what they are needed for, all have alike. Rejects as the last one does. */
export async function settingsOfAny(
  servers: readonly Upstream[],
  how: Parameters<typeof fetchMemberSettings>[1],
): Promise<MemberSettings> {
  let last: unknown = new OperatingError(
    'GATEWAY.NO_SERVER',
    'no server tells its external labels',
  );
  for (const server of candidates(servers)) {
    try {
      return await fetchMemberSettings(server, how);
    } catch (error) {
      if (!(error instanceof MemberReadError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** From the answer of `/api/v1/status/config`. */
function readMemberSettings(body: Uint8Array, member: string): MemberSettings {
  try {
    const answer = JSON.parse(new TextDecoder().decode(body)) as {
      readonly data?: { readonly yaml?: unknown };
    };
    const root = parseYaml(String(answer.data?.yaml ?? ''), member);
    const global = entryOf(root, 'global');
    const interval = global === null ? null : entryOf(global, 'evaluation_interval');
    const labels = global === null ? null : entryOf(global, 'external_labels');
    return {
      externalLabels: Labels.from(pairsOf(labels)),
      evaluationIntervalMs:
        interval?.kind === 'scalar' ? parseDuration(interval.text) : DEFAULT_INTERVAL_MS,
    };
  } catch (error) {
    throw new OperatingError(
      'GATEWAY.BAD_SETTINGS',
      `member ${member} shows no configuration at /api/v1/status/config: ${errorText(error)}`,
      { cause: error },
    );
  }
}

function pairsOf(node: ConfigNode | null): (readonly [string, string])[] {
  if (node?.kind !== 'map') return [];
  return node.entries.flatMap(({ key, value }) =>
    value.kind === 'scalar' ? [[key, value.text] as const] : [],
  );
}
