import { INTERVAL_MS } from './pair-plan.ts';
import { TARGET_PORT } from './target-double.ts';

/** What tells replicas apart. */
export const REPLICA_LABEL = 'prometheus_replica';

export const RULES = `
groups:
  - name: sim
    interval: ${INTERVAL_MS}ms
    rules:
      - record: instance:c:rate1m
        expr: sum by (instance) (rate(c_total[1m]))
      - alert: Hot
        expr: g > 0.7
        for: 20s
`;

/** Whom a server tells and asks; a twin has none of them. */
export type ServerPeers = {
  readonly alertmanagers: readonly string[];
  /** Addresses of `remote_write` and `remote_read`. */
  readonly writes: readonly string[];
  readonly reads: readonly string[];
};

export function serverConfig(
  name: string,
  targets: readonly string[],
  { alertmanagers, writes, reads }: ServerPeers,
): string {
  const urls = (list: readonly string[]): string => list.map((url) => `{url: '${url}'}`).join(', ');
  const remote = `
remote_write: [${urls(writes)}]
remote_read: [${urls(reads)}]
`;
  const alerting = `
alerting:
  alertmanagers:
    - static_configs: [{targets: [${alertmanagers.map((at) => `'${at}'`).join(', ')}]}]
  alert_relabel_configs: [{action: labeldrop, regex: ${REPLICA_LABEL}}]
`;
  return `${alertmanagers.length === 0 ? '' : alerting}${remote}
global:
  scrape_interval: ${INTERVAL_MS}ms
  scrape_timeout: 3s
  evaluation_interval: ${INTERVAL_MS}ms
  external_labels: {${REPLICA_LABEL}: ${name}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: sim
    static_configs: [{targets: [${targets.map((target) => `'${target}:${TARGET_PORT}'`).join(', ')}]}]
`;
}

export function gatewayConfig(
  members: readonly string[],
  alertmanagers: readonly string[],
  times: { readonly guardMs: number; readonly lookbackMs: number },
): string {
  const group = (name: string, kind: string, list: readonly string[]): string => `
  - name: ${name}
    kind: ${kind}
    members: [${list.map((url) => `{name: ${url.split(':')[0]}, url: 'http://${url}'}`).join(', ')}]`;
  return `
health_interval: 4s
lookback_delta: ${times.lookbackMs}ms
seam_guard: ${times.guardMs}ms
replica_labels: [${REPLICA_LABEL}]
groups:${group('servers', 'server', members)}${
    alertmanagers.length === 0 ? '' : group('alertmanagers', 'alertmanager', alertmanagers)
  }
`;
}
