import { randomHex, type StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import type { BuildOptions } from '../build-options.ts';
import { type ReceiverHttp, readSecretFile } from '../receiver-http.ts';
import type { AwsRole } from './credential-source.ts';
import { type AwsCredentials, signedHeaders } from './signature.ts';

const FORM = 'application/x-www-form-urlencoded';

/** Credentials that end. */
export type BorrowedCredentials = {
  readonly credentials: AwsCredentials;
  readonly untilMs: number;
};

export type StsEndpoint = { readonly url: string; readonly region: string };

/** AWS' Security Token Service: credentials of a role for credentials of one's own, or for a token. */
export class SecurityTokenService {
  readonly #options: Pick<BuildOptions, 'env'>;
  readonly #http: ReceiverHttp;

  constructor(options: Pick<BuildOptions, 'env'>, http: ReceiverHttp) {
    this.#options = options;
    this.#http = http;
  }

  assumeRole(
    role: AwsRole,
    credentials: AwsCredentials,
    at: StsEndpoint,
    signal: StopSignal,
  ): Promise<BorrowedCredentials> {
    const body = this.#form('AssumeRole', role, {
      ...(role.externalId === '' ? {} : { ExternalId: role.externalId }),
    });
    const headers = signedHeaders({
      ...at,
      body,
      contentType: FORM,
      service: 'sts',
      nowMs: this.#options.env.clock.now(),
      credentials,
    });
    const secrets = [credentials.secretKey, credentials.sessionToken];
    return this.#ask({ url: at.url, headers, body, signal, secrets });
  }

  /** The token is read anew, since the one in the file is replaced before it ends; it needs no signature. */
  assumeRoleWithWebIdentity(
    role: AwsRole,
    tokenFile: string,
    at: StsEndpoint,
    signal: StopSignal,
  ): Promise<BorrowedCredentials> {
    const token = readSecretFile(this.#options.env.files, tokenFile);
    const body = this.#form('AssumeRoleWithWebIdentity', role, { WebIdentityToken: token });
    return this.#ask({
      url: at.url,
      headers: { 'content-type': FORM },
      body,
      signal,
      secrets: [token],
    });
  }

  #form(action: string, role: AwsRole, more: Readonly<Record<string, string>>): string {
    return new URLSearchParams({
      Action: action,
      Version: '2011-06-15',
      RoleArn: role.arn,
      RoleSessionName: role.sessionName || `pollux-${randomHex(this.#options.env.random, 8)}`,
      ...(role.durationSeconds === '' ? {} : { DurationSeconds: role.durationSeconds }),
      ...more,
    }).toString();
  }

  async #ask(request: Parameters<ReceiverHttp['send']>[0]): Promise<BorrowedCredentials> {
    const answer = await this.#http.send(request);
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
