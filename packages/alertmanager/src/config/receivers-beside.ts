import { list, object, parseYaml, refuse, required, strictContext } from '@pollux/config';
import type { GlobalConfig } from './global-config.ts';
import { ownReceiverConfig, type ReceiverConfig } from './receiver-config.ts';

/**
 * Reads `alertmanager.pollux.yml`, the file beside `alertmanager.yml`: integrations of this program by the name of a
 * receiver, so that the main file stays one that the Go Alertmanager and amtool take.
 *
 *     receivers:
 *       - name: team
 *         dingtalk_configs: [{access_token: …, secret: …}]
 *
 * Throws ConfigError with the place in that file.
 */
export function readReceiversBeside(
  { text, file }: { readonly text: string; readonly file: string },
  global: GlobalConfig,
  known: readonly ReceiverConfig[],
): readonly ReceiverConfig[] {
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
  return receivers;
}

/** `alertmanager.yml` → `alertmanager.pollux.yml`. */
export function fileBeside(file: string): string {
  return `${file.replace(/\.ya?ml$/, '')}.pollux.yml`;
}
