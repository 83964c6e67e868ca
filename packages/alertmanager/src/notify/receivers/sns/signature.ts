import { createHash, createHmac } from 'node:crypto';

export type AwsCredentials = {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Empty for those that do not end. */
  readonly sessionToken: string;
};

export type SignedRequest = {
  readonly url: string;
  readonly body: string;
  readonly contentType: string;
  readonly region: string;
  /** `sns`, `sts`. */
  readonly service: string;
  readonly nowMs: number;
  readonly credentials: AwsCredentials;
};

/** Headers of a POST signed by AWS Signature Version 4; the address must have no query. */
export function signedHeaders(request: SignedRequest): Record<string, string> {
  const { credentials, region, service } = request;
  const url = new URL(request.url);
  const stamp = new Date(request.nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = stamp.slice(0, 8);
  const headers: Record<string, string> = {
    'content-type': request.contentType,
    host: url.host,
    'x-amz-date': stamp,
    ...(credentials.sessionToken === ''
      ? {}
      : { 'x-amz-security-token': credentials.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'POST',
    canonicalPath(url.pathname),
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    sha256(request.body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretKey}`,
  );
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const { host: _host, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

/** Encoded once more than the address has it: only S3 takes paths as they are. */
function canonicalPath(pathname: string): string {
  const encode = (part: string): string =>
    encodeURIComponent(part).replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return pathname.split('/').map(encode).join('/');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
