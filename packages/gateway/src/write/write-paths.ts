import type { GroupKind } from '../balance/group-config.ts';
import { parseAlerts } from './live-alerts.ts';
import type { WriteKind } from './spool-record.ts';

/** One way of writing, as the peers have it. */
export type WritePath = {
  readonly path: string;
  readonly kind: WriteKind;
  /** The first of these that gateway.yml has. */
  readonly groups: readonly GroupKind[];
  /** Taken away from the path before it goes to the members. */
  readonly prefix?: string;
  /** What the members answer to a write that they took. */
  readonly takenStatus: number;
  /** Status and text for what no member would take; null for the rest. */
  readonly refusal: (headers: Readonly<Record<string, string>>, body: Uint8Array) => Refusal | null;
};
export type Refusal = { readonly status: number; readonly error: string };

export const WRITE_PATHS: readonly WritePath[] = [
  remoteWrite('/api/v1/write', ['server', 'store']),
  remoteWrite('/api/v1/prom/write', ['store']),
  remoteWrite('/store/api/v1/prom/write', ['store'], '/store'),
  lines('/write'),
  lines('/api/v2/write'),
  lines('/store/write', '/store'),
  lines('/store/api/v2/write', '/store'),
  alerts('/api/v2/alerts'),
  alerts('/alertmanager/api/v2/alerts', '/alertmanager'),
];

function remoteWrite(path: string, groups: readonly GroupKind[], prefix = ''): WritePath {
  return { path, kind: 'remote-write', groups, prefix, takenStatus: 204, refusal: refuseProtobuf };
}

function lines(path: string, prefix = ''): WritePath {
  return { path, kind: 'lines', groups: ['store'], prefix, takenStatus: 204, refusal: () => null };
}

function alerts(path: string, prefix = ''): WritePath {
  const groups = ['alertmanager'] as const;
  return { path, kind: 'alerts', groups, prefix, takenStatus: 200, refusal: refuseAlerts };
}

/** Remote write 1.0 says nothing of its type, or the same as 2.0 without its message. */
function refuseProtobuf(headers: Readonly<Record<string, string>>): Refusal | null {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (type !== '' && type !== 'application/x-protobuf') {
    return { status: 415, error: `remote write is application/x-protobuf, not ${type}` };
  }
  const encoding = headers['content-encoding'] ?? 'snappy';
  if (encoding !== 'snappy') {
    return { status: 415, error: `remote write is encoded by snappy, not ${encoding}` };
  }
  return null;
}

function refuseAlerts(headers: Readonly<Record<string, string>>, body: Uint8Array): Refusal | null {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (type !== 'application/json') {
    return { status: 415, error: `alerts are application/json, not "${type}"` };
  }
  return parseAlerts(body) === null ? { status: 400, error: 'alerts are a list in JSON' } : null;
}
