import { createHash } from 'node:crypto';
import { formatFloatExponent, type Matcher, matchesAll } from '@pollux/model';
import type { ApiHandler } from '../call.ts';
import type { AlertView, RuleGroupView, RulesPort, RuleView } from '../ports.ts';
import { encodeTime } from '../wire/encode.ts';
import { invalidParameter } from '../wire/errors.ts';
import { matchersParameter, parseBool, parseInteger } from '../wire/parameters.ts';

/** /api/v1/alerts */
export function alerts(port: RulesPort): ApiHandler {
  return () => ({
    kind: 'data',
    data: {
      alerts: port
        .groups()
        .flatMap((group) => group.rules)
        .flatMap((rule) => (rule.kind === 'alerting' ? rule.alerts.map(alertJson) : [])),
    },
  });
}

/** /api/v1/rules */
export function rules(port: RulesPort): ApiHandler {
  return ({ form, exchange }) => {
    const filter = filterOf(form, exchange.query);
    const page = pageOf(form);
    const groups: unknown[] = [];
    let isReached = page.token === '';
    for (const group of port.groups()) {
      isReached ||= groupToken(group) === page.token;
      if (!isReached || !isListed(filter.groups, group.name)) continue;
      if (!isListed(filter.files, group.file)) continue;
      const kept = group.rules.filter((rule) => isKept(rule, filter));
      if (kept.length === 0) continue;
      if (page.limit > 0 && groups.length === page.limit) {
        return { kind: 'data', data: { groups, groupNextToken: groupToken(group) } };
      }
      groups.push(groupJson(group, kept, filter.excludesAlerts));
    }
    if (!isReached) {
      throw invalidParameter(
        'group_next_token',
        `invalid group_next_token '${page.token}'. were rule groups changed?`,
      );
    }
    return { kind: 'data', data: { groups } };
  };
}

type Filter = {
  readonly kind: RuleView['kind'] | null;
  readonly names: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly files: ReadonlySet<string>;
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly excludesAlerts: boolean;
};

function filterOf(form: URLSearchParams, query: URLSearchParams): Filter {
  const matcherSets = matchersParameter(form);
  const type = (query.get('type') ?? '').toLowerCase();
  if (type !== '' && type !== 'alert' && type !== 'record') {
    throw invalidParameter('type', `not supported value ${JSON.stringify(type)}`);
  }
  const exclude = form.get('exclude_alerts') ?? '';
  const excludesAlerts = exclude === '' ? false : parseBool(exclude);
  if (excludesAlerts === null) {
    throw invalidParameter(
      'exclude_alerts',
      `error converting exclude_alerts: strconv.ParseBool: parsing ${JSON.stringify(exclude)}: invalid syntax`,
    );
  }
  return {
    kind: type === 'alert' ? 'alerting' : type === 'record' ? 'recording' : null,
    names: new Set(form.getAll('rule_name[]')),
    groups: new Set(form.getAll('rule_group[]')),
    files: new Set(form.getAll('file[]')),
    matcherSets,
    excludesAlerts,
  };
}

/** `limit` 0 is no paging. */
function pageOf(form: URLSearchParams): { readonly limit: number; readonly token: string } {
  const written = form.get('group_limit') ?? '';
  const token = form.get('group_next_token') ?? '';
  if (written === '') {
    if (token === '') return { limit: 0, token };
    throw invalidParameter(
      'group_next_token',
      'group_limit needs to be present in order to paginate over the groups',
    );
  }
  const limit = parseInteger(written);
  if (limit === null || Math.abs(limit) > 0x7fffffff) {
    throw invalidParameter(
      'group_limit',
      `group_limit needs to be a valid number: strconv.ParseInt: parsing ${JSON.stringify(written)}: ${limit === null ? 'invalid syntax' : 'value out of range'}`,
    );
  }
  if (limit <= 0) throw invalidParameter('group_limit', 'group_limit needs to be greater than 0');
  return { limit, token };
}

/** Names the first group of the next page. */
function groupToken(group: RuleGroupView): string {
  return createHash('sha256').update(`${group.file};${group.name}`).digest('hex');
}

function isListed(wanted: ReadonlySet<string>, value: string): boolean {
  return wanted.size === 0 || wanted.has(value);
}

function isKept(rule: RuleView, filter: Filter): boolean {
  if (filter.kind !== null && rule.kind !== filter.kind) return false;
  if (!isListed(filter.names, rule.name)) return false;
  const { matcherSets } = filter;
  return matcherSets.length === 0 || matcherSets.some((set) => matchesAll(set, rule.labels));
}

function groupJson(
  group: RuleGroupView,
  kept: readonly RuleView[],
  excludesAlerts: boolean,
): unknown {
  return {
    name: group.name,
    file: group.file,
    rules: kept.map((rule) => ruleJson(rule, excludesAlerts)),
    interval: group.intervalMs / 1000,
    limit: group.limit,
    evaluationTime: group.evaluationSeconds,
    lastEvaluation: encodeTime(group.lastEvaluationMs),
  };
}

function ruleJson(rule: RuleView, excludesAlerts: boolean): unknown {
  const status = {
    health: rule.health,
    lastError: rule.lastError === '' ? undefined : rule.lastError,
    evaluationTime: rule.evaluationSeconds,
    lastEvaluation: encodeTime(rule.lastEvaluationMs),
  };
  if (rule.kind === 'recording') {
    const { name, query, labels } = rule;
    return { name, query, labels, ...status, type: 'recording' };
  }
  return {
    state: rule.state,
    name: rule.name,
    query: rule.query,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    labels: rule.labels,
    annotations: rule.annotations,
    alerts: excludesAlerts ? [] : rule.alerts.map(alertJson),
    ...status,
    type: 'alerting',
  };
}

function alertJson(alert: AlertView): unknown {
  const { keepFiringSinceMs } = alert;
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    state: alert.state,
    activeAt: encodeTime(alert.activeAtMs),
    keepFiringSince: keepFiringSinceMs === null ? undefined : encodeTime(keepFiringSinceMs),
    value: formatFloatExponent(alert.value),
  };
}
