import { errorText, OperatingError, sleep } from '@pollux/base';
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
import { checkHttpConfig, type HttpConfig, HttpConfigClient, httpConfigFields } from '@pollux/http';
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
  readonly client: HttpConfig;
};

/** Asks an HTTP endpoint for target groups every refresh interval. */
class HttpDiscoverer implements Discoverer {
  readonly #settings: HttpSettings;
  readonly #deps: DiscovererDeps;
  readonly #http: HttpConfigClient;
  #groupCount = 0;

  constructor(settings: HttpSettings, deps: DiscovererDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#http = new HttpConfigClient({ ...deps.env, ...deps, config: settings.client });
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
    const { url, refreshMs } = this.#settings;
    const response = await this.#http.request({
      method: 'GET',
      url,
      headers: {
        accept: 'application/json',
        'user-agent': 'Prometheus',
        'x-prometheus-refresh-interval-seconds': String(refreshMs / 1_000),
      },
      timeoutMs: refreshMs,
      signal,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
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
  ...httpConfigFields,
  url: required(string),
  refresh_interval: optional(parsed(parseDuration), 60_000),
});

const httpProvider: Decoder<ProviderSpec> = (node, path, context) => {
  refuseNull(node, path);
  const { url, refresh_interval: refreshMs, ...client } = httpConfig(node, path, context);
  checkHttpConfig(node, path, client);
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
