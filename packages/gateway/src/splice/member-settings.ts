import { errorText, OperatingError } from '@pollux/base';
import { type ConfigNode, entryOf, parseYaml } from '@pollux/config';
import { Labels, parseDuration } from '@pollux/model';

/** What of a member's configuration an answer from its raw samples depends on. */
export type MemberSettings = {
  /** Remote read adds them to every series; queries answer without them. */
  readonly externalLabels: Labels;
  /** Step of subqueries that name none. */
  readonly evaluationIntervalMs: number;
};

const DEFAULT_INTERVAL_MS = 60_000;

/** From the answer of `/api/v1/status/config`. */
export function readMemberSettings(body: Uint8Array, member: string): MemberSettings {
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
