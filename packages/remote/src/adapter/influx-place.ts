import { addressOf, basicAuthorization } from './target-address.ts';

/** Where in an InfluxDB samples are. */
export type InfluxPlace = {
  readonly writeUrl: string;
  readonly writeHeaders: Readonly<Record<string, string>>;
  readonly queryUrl: string;
  readonly queryHeaders: Readonly<Record<string, string>>;
  /** Named in queries; empty for the default one. */
  readonly retentionPolicy: string;
};

/** A database of InfluxDB 1.x. */
export function influxDatabase(options: {
  readonly url: string;
  readonly database: string;
  readonly retentionPolicy: string;
  readonly username: string;
  readonly password: string;
}): InfluxPlace {
  const { database, retentionPolicy, username, password } = options;
  const { url, headers: inUrl } = addressOf('influxdb-url', options.url);
  const headers = username === '' ? inUrl : basicAuthorization(username, password);
  return {
    writeUrl: withParameters(url, 'write', { db: database, rp: retentionPolicy, precision: 'ms' }),
    writeHeaders: headers,
    queryUrl: withParameters(url, 'query', { db: database }),
    queryHeaders: headers,
    retentionPolicy,
  };
}

/**
 * A bucket of InfluxDB 2, or `database/retention-policy` of 1.8 with `user:password` for a token. It is read with InfluxQL, which 1.8
 * answers for each database, and 2 for each bucket of such a name.
 */
export function influxBucket(options: {
  readonly url: string;
  readonly bucket: string;
  readonly organization: string;
  readonly token: string;
}): InfluxPlace {
  const { bucket, organization, token } = options;
  const { url, headers: inUrl } = addressOf('influxdb-url', options.url);
  const slash = bucket.indexOf('/');
  const headers = token === '' ? inUrl : { authorization: `Token ${token}` };
  const colon = token.indexOf(':');
  return {
    writeUrl: withParameters(url, 'api/v2/write', { bucket, org: organization, precision: 'ms' }),
    writeHeaders: headers,
    queryUrl: withParameters(url, 'query', { db: slash < 0 ? bucket : bucket.slice(0, slash) }),
    // 1.8 knows tokens where 2 has its paths.
    queryHeaders:
      colon < 0 ? headers : basicAuthorization(token.slice(0, colon), token.slice(colon + 1)),
    retentionPolicy: slash < 0 ? '' : bucket.slice(slash + 1),
  };
}

function withParameters(base: string, path: string, parameters: Record<string, string>): string {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '') url.searchParams.set(name, value);
  }
  return url.href;
}
