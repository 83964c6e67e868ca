import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import type { BuildOptions } from '../build-options.ts';
import type { ReceiverHttp } from '../receiver-http.ts';
import type { Sigv4Config } from './config.ts';
import { type CredentialSource, credentialSource } from './credential-source.ts';
import { MachineCredentials } from './machine-credentials.ts';
import { type BorrowedCredentials, SecurityTokenService } from './security-token-service.ts';
import { SharedFiles } from './shared-files.ts';
import type { AwsCredentials } from './signature.ts';

/** Borrowed credentials are renewed this long before they end. */
const EARLY_MS = 5 * 60_000;

/** Region, addresses and credentials of one receiver. Files are looked at for each message. */
export class AwsKeys {
  readonly #config: Sigv4Config;
  readonly #options: BuildOptions;
  readonly #files: SharedFiles;
  readonly #sts: SecurityTokenService;
  readonly #machine: MachineCredentials;
  /** By the source, as JSON without what the source itself was given. */
  readonly #borrowed = new Map<string, BorrowedCredentials>();

  constructor(config: Sigv4Config, options: BuildOptions, http: ReceiverHttp) {
    this.#config = config;
    this.#options = options;
    this.#files = new SharedFiles(options.env.files, options.variables);
    this.#sts = new SecurityTokenService(options, http);
    this.#machine = new MachineCredentials(options);
  }

  region(): string {
    const { variables } = this.#options;
    const region =
      this.#config.region ||
      variables.AWS_REGION ||
      variables.AWS_DEFAULT_REGION ||
      this.#ofProfile('region');
    if (region) return region;
    throw new DeliveryError(
      'region not configured in sns.sigv4.region or in default credentials chain',
      { retry: true },
    );
  }

  /** Where a service is asked: as environment or profile say, else where AWS has it. */
  endpoint(service: 'sns' | 'sts'): string {
    const { variables } = this.#options;
    const region = this.region();
    const fips = service === 'sts' && this.#config.use_fips_sts_endpoint ? '-fips' : '';
    const usual = `https://${service}${fips}.${region}.${awsDomain(region)}/`;
    if (variables.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === 'true') return usual;
    return (
      variables[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ||
      variables.AWS_ENDPOINT_URL ||
      this.#ofProfile('endpoint_url') ||
      usual
    );
  }

  get(signal: StopSignal): Promise<AwsCredentials> {
    const source = credentialSource(this.#config, this.#options.variables, this.#files);
    return this.#resolve(source, signal);
  }

  async #resolve(source: CredentialSource, signal: StopSignal): Promise<AwsCredentials> {
    if (source.kind === 'keys') return source.credentials;
    const key = cacheKey(source);
    const known = this.#borrowed.get(key);
    const nowMs = this.#options.env.clock.now();
    if (known !== undefined && nowMs < known.untilMs - EARLY_MS) return known.credentials;
    const borrowed = await this.#borrow(source, signal);
    // One chain of sources is in use; another one means that the files were changed.
    if (known === undefined && this.#borrowed.size > 16) this.#borrowed.clear();
    this.#borrowed.set(key, borrowed);
    return borrowed.credentials;
  }

  async #borrow(
    source: Exclude<CredentialSource, { kind: 'keys' }>,
    signal: StopSignal,
  ): Promise<BorrowedCredentials> {
    switch (source.kind) {
      case 'role': {
        const credentials = await this.#resolve(source.source, signal);
        return this.#sts.assumeRole(source.role, credentials, this.#stsEndpoint(), signal);
      }
      case 'web-identity': {
        const { role, tokenFile } = source;
        return this.#sts.assumeRoleWithWebIdentity(role, tokenFile, this.#stsEndpoint(), signal);
      }
      case 'container':
        return this.#machine.ofContainer(signal);
      case 'instance':
        return this.#machine.ofInstance(signal);
    }
  }

  #stsEndpoint() {
    return { url: new URL(this.endpoint('sts')).toString(), region: this.region() };
  }

  #ofProfile(name: string): string {
    const profile = this.#config.profile || this.#files.usualProfile;
    return this.#files.profile(profile)?.get(name) ?? '';
  }
}

/** Roles keep their credentials while the keys that they were borrowed with are replaced, as long as the account is the same. */
function cacheKey(source: CredentialSource): string {
  switch (source.kind) {
    case 'keys':
      return source.credentials.accessKey;
    case 'role':
      return JSON.stringify([source.role, cacheKey(source.source)]);
    case 'web-identity':
      return JSON.stringify([source.role, source.tokenFile]);
    default:
      return source.kind;
  }
}

function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}
