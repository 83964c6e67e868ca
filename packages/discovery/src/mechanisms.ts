import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  optional,
  refuse,
} from '@pollux/config';
import type { Mechanism, ProviderSpec } from './discoverer.ts';
import { fileMechanism } from './file/file-discovery.ts';
import { httpMechanism } from './http/http-discovery.ts';
import { staticMechanism } from './static/static-discovery.ts';

/** Every mechanism that is served. A new one is a folder and a row. */
export const MECHANISMS: readonly Mechanism[] = [staticMechanism, fileMechanism, httpMechanism];

/** What Prometheus 3 serves besides. Their keys are known, so that the refusal can say what is the matter. */
const NOT_SERVED = [
  'aws',
  'azure',
  'consul',
  'digitalocean',
  'dns',
  'docker',
  'dockerswarm',
  'ec2',
  'ecs',
  'elasticache',
  'eureka',
  'gce',
  'hetzner',
  'ionos',
  'kubernetes',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'msk',
  'nerve',
  'nomad',
  'oci',
  'openstack',
  'outscale',
  'ovhcloud',
  'puppetdb',
  'rds',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
] as const;

/** The discovery keys of a scrape or alertmanager configuration, to be spread into the fields of its object decoder. */
export const discoveryFields: Readonly<
  Record<string, ReturnType<typeof optional<readonly ProviderSpec[]>>>
> = Object.fromEntries([
  ...MECHANISMS.map(({ configKey, decoder }) => [configKey, optional(decoder, [])] as const),
  ...NOT_SERVED.map((name) => [`${name}_sd_configs`, optional(notServed(name), [])] as const),
]);

/** Gathers the providers from what an object with {@link discoveryFields} decoded to. */
export function providersOf(decoded: Readonly<Record<string, unknown>>): readonly ProviderSpec[] {
  return MECHANISMS.flatMap(
    ({ configKey }) => (decoded[configKey] ?? []) as readonly ProviderSpec[],
  );
}

function notServed(name: string): Decoder<readonly ProviderSpec[]> {
  return (node: ConfigNode, path: string, _context: DecodeContext) =>
    refuse(
      node,
      path,
      `${name}_sd_configs is not supported yet; use file_sd_configs or http_sd_configs with a list made elsewhere`,
    );
}
