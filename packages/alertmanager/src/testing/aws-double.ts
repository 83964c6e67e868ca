import { createHash, createHmac } from 'node:crypto';
import type { Delivery, Endpoint } from './fake-net.ts';

export type AwsAccount = { readonly secretKey: string; readonly sessionToken?: string };

/** What the double did, in order: `AssumeRole arn`, `Publish AKID`, a refusal's code. */
type Done = string[];

/**
 * Amazon's STS and SNS, the metadata service of an instance and that of a container, for tests. Signatures are worked out
 * from what arrived, by the steps of AWS' description of Signature Version 4, and without the code that signs.
 */
export class AwsDouble {
  readonly done: Done = [];
  readonly forms: URLSearchParams[] = [];
  /** By access key; roles that were taken on add theirs. */
  readonly #accounts: Map<string, AwsAccount>;
  /** How long borrowed credentials live. */
  lifeMs = 3_600_000;
  /** Whose token stands for a role. */
  webToken = '';
  #roles = 0;

  constructor(accounts: Readonly<Record<string, AwsAccount>>) {
    this.#accounts = new Map(Object.entries(accounts));
  }

  readonly endpoint: Endpoint = (delivery) => {
    const { hostname, pathname } = new URL(delivery.url);
    if (hostname === '169.254.169.254') return this.#instance(delivery, pathname);
    if (hostname === '169.254.170.2') return this.#container(delivery);
    const form = new URLSearchParams(delivery.body);
    this.forms.push(form);
    switch (form.get('Action')) {
      case 'AssumeRoleWithWebIdentity':
        if (form.get('WebIdentityToken') !== this.webToken) return this.#refuse('InvalidToken');
        this.done.push(`AssumeRoleWithWebIdentity ${form.get('RoleArn')}`);
        return this.#xmlCredentials(delivery.timeMs);
      case 'AssumeRole': {
        const signer = this.#signer(delivery, 'sts');
        if (signer === null) return this.#refuse('SignatureDoesNotMatch');
        this.done.push(`AssumeRole ${form.get('RoleArn')} as ${signer}`);
        return this.#xmlCredentials(delivery.timeMs);
      }
      case 'Publish': {
        const signer = this.#signer(delivery, 'sns');
        if (signer === null) return this.#refuse('SignatureDoesNotMatch');
        this.done.push(`Publish as ${signer}`);
        return { status: 200, body: '<PublishResponse/>' };
      }
      default:
        return this.#refuse('InvalidAction');
    }
  };

  #instance({ method, headers, timeMs }: Delivery, path: string): ReturnType<Endpoint> {
    if (method === 'PUT' && path === '/latest/api/token') {
      const isAsked = headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined;
      return isAsked ? { status: 200, body: 'hidden-imds-token' } : { status: 400 };
    }
    if (headers['x-aws-ec2-metadata-token'] !== 'hidden-imds-token') return { status: 401 };
    const base = '/latest/meta-data/iam/security-credentials/';
    if (path === base) return { status: 200, body: 'machine-role\n' };
    return path === `${base}machine-role`
      ? { status: 200, body: JSON.stringify({ Code: 'Success', ...this.#lend(timeMs) }) }
      : { status: 404 };
  }

  #container({ headers, timeMs }: Delivery): ReturnType<Endpoint> {
    if (headers.authorization !== 'hidden-container-token') return { status: 401 };
    return { status: 200, body: JSON.stringify(this.#lend(timeMs)) };
  }

  #lend(nowMs: number) {
    const number = ++this.#roles;
    const key = `LENT${number}`;
    const account = {
      secretKey: `hidden-lent-${number}`,
      sessionToken: `hidden-session-${number}`,
    };
    this.#accounts.set(key, account);
    return {
      AccessKeyId: key,
      SecretAccessKey: account.secretKey,
      Token: account.sessionToken,
      Expiration: new Date(nowMs + this.lifeMs).toISOString(),
    };
  }

  #xmlCredentials(nowMs: number): ReturnType<Endpoint> {
    const { Token: SessionToken, ...rest } = this.#lend(nowMs);
    const fields = Object.entries({ ...rest, SessionToken });
    const inner = fields.map(([name, value]) => `<${name}>${value}</${name}>`).join('');
    return { status: 200, body: `<Result><Credentials>${inner}</Credentials></Result>` };
  }

  #refuse(code: string): ReturnType<Endpoint> {
    this.done.push(code);
    return { status: 403, body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>` };
  }

  /** The access key whose secret made the signature, or null. */
  #signer(delivery: Delivery, service: string): string | null {
    const found =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        delivery.headers.authorization ?? '',
      );
    if (found === null || found[4] !== service) return null;
    const [, accessKey = '', day = '', region = '', , signed = '', signature] = found;
    const account = this.#accounts.get(accessKey);
    if (account === undefined) return null;
    const url = new URL(delivery.url);
    const headers: Readonly<Record<string, string>> = { ...delivery.headers, host: url.host };
    if ((headers['x-amz-security-token'] ?? '') !== (account.sessionToken ?? '')) return null;
    const names = signed.split(';');
    if (!names.includes('host') || !names.includes('x-amz-date')) return null;
    const stamp = headers['x-amz-date'] ?? '';
    const sentMs = Date.parse(stamp.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
    if (!(Math.abs(sentMs - delivery.timeMs) < 5 * 60_000) || !stamp.startsWith(day)) return null;
    const hash = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');
    const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim()}\n`).join('');
    // All but the unreserved characters, in what the address holds.
    const path = url.pathname.replace(/[^A-Za-z0-9._~/-]/g, (sign) => {
      return `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
    });
    const request = `POST\n${path}\n\n${lines}\n${signed}\n${hash(delivery.body)}`;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${hash(request)}`;
    const mac = (key: string | Buffer, part: string) =>
      createHmac('sha256', key).update(part).digest();
    const ofRegion = mac(mac(`AWS4${account.secretKey}`, day), region);
    const key = mac(mac(ofRegion, service), 'aws4_request');
    return mac(key, text).toString('hex') === signature ? accessKey : null;
  }
}
