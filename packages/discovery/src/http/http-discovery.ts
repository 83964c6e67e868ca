import { errorText, type HttpClientRequest, OperatingError, sleep } from '@pollux/base';
import {
  type Decoder,
  list,
  object,
  optional,
  parsed,
  parseYaml,
  refuse,
  required,
  strictContext,
  string,
} from '@pollux/config';
import {
  type ClientConfig,
  checkClientConfig,
  clientConfigFields,
  clientSettings,
  requestFollowing,
  unservedClientFields,
} from '@pollux/http';
import { LabelsBuilder, parseDuration } from '@pollux/model';
import { nodeIdentity } from '../config/node-identity.ts';
import { refuseNull, writtenGroups } from '../config/target-groups.ts';
import type {
  Discoverer,
  DiscovererDeps,
  EmitGroups,
  Mechanism,
  ProviderSpec,
  TargetGroup,
} from '../discoverer.ts';

const URL_LABEL = '__meta_url';
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

type HttpSettings = {
  readonly url: string;
  readonly refreshMs: number;
  readonly client: ClientConfig;
};

/** Asks an HTTP endpoint for target groups every refresh interval. */
class HttpDiscoverer implements Discoverer {
  readonly #settings: HttpSettings;
  readonly #deps: DiscovererDeps;
  #groupCount = 0;

  constructor(settings: HttpSettings, deps: DiscovererDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  start(emit: EmitGroups, signal: AbortSignal): void {
    void this.#run(emit, signal);
  }

  async #run(emit: EmitGroups, signal: AbortSignal): Promise<void> {
    const { env, log, metrics } = this.#deps;
    while (!signal.aborted) {
      const startMs = env.clock.monotonic();
      try {
        emit(await this.#refresh(signal));
        metrics.refreshDuration.with('http').observe((env.clock.monotonic() - startMs) / 1_000);
      } catch (error) {
        if (signal.aborted) return;
        metrics.refreshFailures.with('http').inc();
        metrics.httpFailures.inc();
        log.error('unable to refresh target groups', { err: errorText(error) });
      }
      try {
        await sleep(env.clock, this.#settings.refreshMs, signal);
      } catch {
        // Only the end of the discovery interrupts the wait.
        return;
      }
    }
  }

  async #refresh(signal: AbortSignal): Promise<TargetGroup[]> {
    const { url, refreshMs, client } = this.#settings;
    const { headers, tls } = clientSettings(client, this.#deps.env.files, this.#deps.resolvePath);
    const request: HttpClientRequest = {
      method: 'GET',
      url,
      headers: {
        accept: 'application/json',
        'user-agent': 'Prometheus',
        'x-prometheus-refresh-interval-seconds': String(refreshMs / 1_000),
        ...headers,
      },
      timeoutMs: refreshMs,
      signal,
      maxBodyBytes: MAX_ANSWER_BYTES,
      ...(tls === undefined ? {} : { tls }),
    };
    const { net } = this.#deps.env;
    const response = await requestFollowing(net, request, client.follow_redirects);
    if (response.status !== 200)
      throw new OperatingError(
        'DISCOVERY.HTTP_STATUS',
        `server returned HTTP status ${response.status}`,
      );
    const type = response.headers['content-type'] ?? '';
    if (!/^application\/json\s*(?:;|$)/i.test(type.trim()))
      throw new OperatingError(
        'DISCOVERY.HTTP_CONTENT_TYPE',
        `unsupported content type ${JSON.stringify(type)}`,
      );
    const text = new TextDecoder().decode(response.body);
    const written = writtenGroups(parseYaml(text, 'answer'), '', strictContext());
    const groups: TargetGroup[] = written.map(({ targets, labels }, index) => ({
      source: `${url}:${index}`,
      targets,
      labels: new LabelsBuilder(labels).set(URL_LABEL, url).build(),
    }));
    const nothing = new LabelsBuilder().build();
    for (let index = written.length; index < this.#groupCount; index++)
      groups.push({ source: `${url}:${index}`, targets: [], labels: nothing });
    this.#groupCount = written.length;
    return groups;
  }
}

const httpConfig = object({
  ...clientConfigFields,
  ...unservedClientFields,
  url: required(string),
  refresh_interval: optional(parsed(parseDuration), 60_000),
});

const httpProvider: Decoder<ProviderSpec> = (node, path, context) => {
  refuseNull(node, path);
  const { url, refresh_interval: refreshMs, ...client } = httpConfig(node, path, context);
  checkClientConfig(node, path, client);
  if (url === '') refuse(node, path, 'URL is missing');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https')
    refuse(node, path, "URL scheme must be 'http' or 'https'");
  if (!URL.canParse(url) || new URL(url).host === '') refuse(node, path, 'host is missing in URL');
  if (refreshMs <= 0) refuse(node, path, 'refresh_interval must be greater than zero');
  return {
    mechanism: 'http',
    identity: `http${nodeIdentity(node)}`,
    create: (deps) => new HttpDiscoverer({ url, refreshMs, client }, deps),
  };
};

/** `http_sd_configs`. */
export const httpSdConfigs: Decoder<readonly ProviderSpec[]> = list(httpProvider);

export const httpMechanism: Mechanism = {
  name: 'http',
  configKey: 'http_sd_configs',
  decoder: httpSdConfigs,
};
