import { parseIp, type StopSignal } from '@pollux/base';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { DeliveryError } from '../../../errors.ts';
import type { BuildOptions } from '../build-options.ts';
import { jsonObject, ReceiverHttp, readSecretFile } from '../receiver-http.ts';
import type { BorrowedCredentials } from './security-token-service.ts';

const CONTAINER_SERVICE = 'http://169.254.170.2';
const INSTANCE_SERVICE = 'http://169.254.169.254';
const INSTANCE_ROLES = '/latest/meta-data/iam/security-credentials/';
const TOKEN_SECONDS = '21600';
/** These services are on the machine itself; where there is none, nobody answers. */
const TIMEOUT_MS = 2_000;

/**
 * Credentials that the place where this program runs has: of a container (ECS, EKS) or of an EC2 instance (its metadata
 * service, version 2, version 1 where that is all there is). They are asked for directly, never through the receiver's proxy.
 */
export class MachineCredentials {
  readonly #options: BuildOptions;
  readonly #http: ReceiverHttp;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#http = new ReceiverHttp(DEFAULT_HTTP_CONFIG, options);
  }

  async ofContainer(signal: StopSignal): Promise<BorrowedCredentials> {
    const { variables, env } = this.#options;
    const path = variables.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
    const url = path
      ? `${CONTAINER_SERVICE}${path}`
      : trustedUrl(variables.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? '');
    const file = variables.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
    const token = file
      ? readSecretFile(env.files, file)
      : (variables.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? '');
    const headers: Record<string, string> = token === '' ? {} : { authorization: token };
    return credentialsIn(await this.#get(url, headers, signal), 'container');
  }

  async ofInstance(signal: StopSignal): Promise<BorrowedCredentials> {
    const { variables } = this.#options;
    if (variables.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') {
      throw new DeliveryError(
        'no AWS credentials: give sigv4.access_key and secret_key, a profile, or the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
        { retry: true },
      );
    }
    const base = (variables.AWS_EC2_METADATA_SERVICE_ENDPOINT || INSTANCE_SERVICE).replace(
      /\/$/,
      '',
    );
    const token = await this.#http.send({
      method: 'PUT',
      url: `${base}/latest/api/token`,
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': TOKEN_SECONDS },
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    const headers: Record<string, string> =
      token.status === 200 ? { 'x-aws-ec2-metadata-token': token.text.trim() } : {};
    const roles = await this.#get(`${base}${INSTANCE_ROLES}`, headers, signal);
    const [role = ''] = roles.status === 200 ? roles.text.trim().split('\n') : [];
    if (role === '') {
      throw new DeliveryError(
        `no AWS credentials: this machine has no role (status ${roles.status})`,
        { retry: true },
      );
    }
    const answer = await this.#get(
      `${base}${INSTANCE_ROLES}${encodeURIComponent(role.trim())}`,
      headers,
      signal,
    );
    return credentialsIn(answer, 'instance');
  }

  #get(url: string, headers: Readonly<Record<string, string>>, signal: StopSignal) {
    const secrets = Object.values(headers);
    return this.#http.send({ method: 'GET', url, headers, timeoutMs: TIMEOUT_MS, signal, secrets });
  }
}

/** In the clear only to this machine and to the addresses that AWS gives these services. */
function trustedUrl(url: string): string {
  if (URL.canParse(url)) {
    const { protocol, hostname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const ip = parseIp(host);
    const isHere = host === 'localhost' || ip?.[0] === 127 || host === '::1';
    const isService = ['169.254.170.2', '169.254.170.23', 'fd00:ec2::23'].includes(host);
    if (protocol === 'https:' || isHere || isService) return url;
  }
  throw new DeliveryError(
    'AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or an address of this machine',
    { retry: true },
  );
}

function credentialsIn(
  answer: Awaited<ReturnType<ReceiverHttp['send']>>,
  of: string,
): BorrowedCredentials {
  const fields = jsonObject(answer) ?? {};
  const read = (name: string): string => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  const accessKey = read('AccessKeyId');
  const secretKey = read('SecretAccessKey');
  const untilMs = Date.parse(read('Expiration'));
  if (answer.status !== 200 || accessKey === '' || secretKey === '' || Number.isNaN(untilMs)) {
    throw new DeliveryError(`no AWS credentials of this ${of} (status ${answer.status})`, {
      retry: true,
    });
  }
  return { untilMs, credentials: { accessKey, secretKey, sessionToken: read('Token') } };
}
