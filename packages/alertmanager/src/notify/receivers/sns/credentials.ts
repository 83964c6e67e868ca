import { randomHex } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import type { BuildOptions } from '../build-options.ts';
import type { ReceiverHttp } from '../receiver-http.ts';
import type { Sigv4Config } from './config.ts';
import { type AwsCredentials, signedHeaders } from './signature.ts';

const FORM = 'application/x-www-form-urlencoded';
/** A role's credentials are renewed this long before they end. */
const EARLY_MS = 5 * 60_000;

/** Keys of the configuration or of the environment; a role's, where one is named, borrowed with them from STS. */
export class AwsKeys {
  readonly #config: Sigv4Config;
  readonly #options: BuildOptions;
  readonly #http: ReceiverHttp;
  #borrowed: { readonly credentials: AwsCredentials; readonly untilMs: number } | null = null;

  constructor(config: Sigv4Config, options: BuildOptions, http: ReceiverHttp) {
    this.#config = config;
    this.#options = options;
    this.#http = http;
  }

  region(): string {
    const { variables } = this.#options;
    const region = this.#config.region || variables.AWS_REGION || variables.AWS_DEFAULT_REGION;
    if (region) return region;
    throw new DeliveryError(
      'region not configured in sns.sigv4.region or in default credentials chain',
      { retry: true },
    );
  }

  async get(signal: AbortSignal): Promise<AwsCredentials> {
    const own = this.#own();
    if (this.#config.role_arn === '') return own;
    const nowMs = this.#options.env.clock.now();
    if (this.#borrowed === null || nowMs > this.#borrowed.untilMs - EARLY_MS) {
      this.#borrowed = await this.#assumeRole(own, signal);
    }
    return this.#borrowed.credentials;
  }

  #own(): AwsCredentials {
    const { access_key: accessKey, secret_key: secretKey } = this.#config;
    if (accessKey !== '') return { accessKey, secretKey: secretKey.reveal(), sessionToken: '' };
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = this.#options.variables;
    if (id && secret) {
      const sessionToken = this.#options.variables.AWS_SESSION_TOKEN ?? '';
      return { accessKey: id, secretKey: secret, sessionToken };
    }
    throw new DeliveryError(
      'no AWS credentials: give sigv4.access_key and secret_key, or the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      { retry: true },
    );
  }

  async #assumeRole(
    credentials: AwsCredentials,
    signal: AbortSignal,
  ): Promise<{ credentials: AwsCredentials; untilMs: number }> {
    const { role_arn: role, external_id: external } = this.#config;
    const { env } = this.#options;
    const region = this.region();
    const prefix = this.#config.use_fips_sts_endpoint ? 'sts-fips' : 'sts';
    const url = `https://${prefix}.${region}.${awsDomain(region)}/`;
    const body = new URLSearchParams({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: role,
      RoleSessionName: `pollux-${randomHex(env.random, 8)}`,
      ...(external === '' ? {} : { ExternalId: external }),
    }).toString();
    const nowMs = env.clock.now();
    const secrets = [credentials.secretKey];
    const headers = signedHeaders({
      url,
      body,
      contentType: FORM,
      region,
      service: 'sts',
      nowMs,
      credentials,
    });
    const answer = await this.#http.send({ url, headers, body, signal, secrets });
    const accessKey = xmlText(answer.text, 'AccessKeyId');
    const untilMs = Date.parse(xmlText(answer.text, 'Expiration'));
    if (answer.status !== 200 || accessKey === '' || Number.isNaN(untilMs)) {
      const message = answer.mask(xmlText(answer.text, 'Message')).slice(0, 500);
      throw new DeliveryError(`assuming the role failed (status ${answer.status}): ${message}`, {
        retry: answer.status >= 500,
      });
    }
    return {
      untilMs,
      credentials: {
        accessKey,
        secretKey: xmlText(answer.text, 'SecretAccessKey'),
        sessionToken: xmlText(answer.text, 'SessionToken'),
      },
    };
  }
}

export function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
};

/** The text of the first element of a name: all that is read of the service's XML. */
export function xmlText(xml: string, name: string): string {
  const start = xml.indexOf(`<${name}>`);
  if (start < 0) return '';
  const end = xml.indexOf(`</${name}>`, start);
  const inner = end < 0 ? '' : xml.slice(start + name.length + 2, end);
  return inner.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => ENTITIES[entity] ?? entity);
}
