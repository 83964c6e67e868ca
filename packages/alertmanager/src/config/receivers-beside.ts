import {
  type ConfigNode,
  entryOf,
  list,
  object,
  parseYaml,
  refuse,
  required,
  strictContext,
} from '@pollux/config';
import type { GlobalConfig } from './global-config.ts';
import {
  type OwnReceiverConfig,
  ownReceiverConfig,
  type ReceiverConfig,
} from './receiver-config.ts';

/** Where what a receiver does not take goes after a time. */
export type Fallback = { readonly receiver: string; readonly afterMs: number };

const DEFAULT_FALLBACK_AFTER_MS = 5 * 60_000;

export type ReceiversBeside = {
  readonly receivers: readonly ReceiverConfig[];
  /** By the name of the receiver that has one. */
  readonly fallbacks: ReadonlyMap<string, Fallback>;
};

/**
 * Reads `alertmanager.pollux.yml`, the file beside `alertmanager.yml`: integrations of this program by the name of a
 * receiver, so that the main file stays one that the Go Alertmanager and amtool take, and fallbacks.
 *
 *     receivers:
 *       - name: team
 *         dingtalk_configs: [{access_token: …, secret: …}]
 *         fallback: on-call
 *         fallback_after: 10m
 *
 * Throws ConfigError with the place in that file.
 */
export function readReceiversBeside(
  { text, file }: { readonly text: string; readonly file: string },
  global: GlobalConfig,
  known: readonly ReceiverConfig[],
): ReceiversBeside {
  const root = parseYaml(text, file);
  const { receivers } = object({ receivers: required(list(ownReceiverConfig(global))) })(
    root,
    '',
    strictContext(),
  );
  const names = new Set<string>();
  for (const { name } of receivers) {
    if (names.has(name)) refuse(root, 'receivers', `"${name}" is not unique`);
    if (!known.some((receiver) => receiver.name === name)) {
      refuse(root, 'receivers', `the main file has no receiver "${name}"`);
    }
    names.add(name);
  }
  return { receivers, fallbacks: fallbacksOf(root, receivers, known) };
}

function fallbacksOf(
  root: ConfigNode,
  receivers: readonly OwnReceiverConfig[],
  known: readonly ReceiverConfig[],
): ReadonlyMap<string, Fallback> {
  const fallbacks = new Map<string, Fallback>();
  receivers.forEach(({ name, fallback, fallbackAfterMs }, index) => {
    const at = (key: string): ConfigNode => placeOf(root, index, key);
    const path = `receivers.${index}`;
    if (fallback === '') {
      if (fallbackAfterMs === null) return;
      refuse(at('fallback_after'), `${path}.fallback_after`, 'there is no fallback beside it');
    }
    if (!known.some((receiver) => receiver.name === fallback)) {
      const message = `the main file has no receiver "${fallback}"`;
      refuse(at('fallback'), `${path}.fallback`, message);
    }
    fallbacks.set(name, {
      receiver: fallback,
      afterMs: fallbackAfterMs ?? DEFAULT_FALLBACK_AFTER_MS,
    });
    const circle = circleFrom(name, fallbacks);
    if (circle !== null) {
      const message = `the fallbacks go in a circle: ${circle.join(' → ')}`;
      refuse(at('fallback'), `${path}.fallback`, message);
    }
  });
  return fallbacks;
}

/** The names on the way from a receiver back to itself; null when the way ends. */
function circleFrom(name: string, fallbacks: ReadonlyMap<string, Fallback>): string[] | null {
  const way = [name];
  for (let at = fallbacks.get(name)?.receiver; at !== undefined; at = fallbacks.get(at)?.receiver) {
    way.push(at);
    if (at === name) return way;
  }
  return null;
}

function placeOf(root: ConfigNode, index: number, key: string): ConfigNode {
  const items = entryOf(root, 'receivers');
  const item = items?.kind === 'list' ? items.items[index] : undefined;
  return (item === undefined ? null : entryOf(item, key)) ?? root;
}

/** `alertmanager.yml` → `alertmanager.pollux.yml`. */
export function fileBeside(file: string): string {
  return `${file.replace(/\.ya?ml$/, '')}.pollux.yml`;
}
