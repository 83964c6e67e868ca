import type {
  AlertDiscovery,
  RuleDiscovery,
  TargetDiscovery,
  WireExemplarSeries,
  WireLabels,
  WireMetadata,
} from '@pollux/api-types';
import { type Labels, unescapeLabelName } from '@pollux/model';
import { rulesOfShards, targetsOfShards } from '../shards/shard-state.ts';
import { mergeExemplars, mergeSeries, mergeTexts } from './merge-names.ts';
import {
  mergeAlerts,
  mergeMetadata,
  mergeRows,
  mergeRules,
  mergeTargets,
  withoutReplicaLabels,
} from './merge-state.ts';

export type MergeContext = {
  readonly form: URLSearchParams;
  readonly replicaLabels: readonly string[];
};

/** How the answers of several replicas at one path become one. */
export type MergedPath = {
  readonly path: string;
  readonly methods: readonly string[];
  /** Where the selectors are that the answer depends on; null for what replicas know of the present only. */
  readonly selectors: 'match[]' | 'query' | null;
  /** `data` of the members' answers, which have the form that the path has. */
  readonly merge: (answers: readonly unknown[], context: MergeContext) => unknown;
  /** `data` that a server with these series would answer; absent where it is not told from series. */
  readonly ofSeries?: (series: readonly Labels[], path: string) => unknown;
  /** Of shards, which hold different targets; where it is absent, as of replicas. */
  readonly mergeShards?: (answers: readonly unknown[]) => unknown;
  /** Parameters that shards are asked without: each would give a part of its own. */
  readonly notForShards?: readonly string[];
};

const BOTH = ['GET', 'HEAD', 'POST'];
const GET = ['GET', 'HEAD'];

export const MERGED_PATHS: readonly MergedPath[] = [
  {
    path: '/api/v1/labels',
    methods: BOTH,
    selectors: 'match[]',
    merge: (answers, { replicaLabels }) =>
      mergeTexts(answers as string[][]).filter((name) => !replicaLabels.includes(name)),
    ofSeries: (series) => mergeTexts(series.map((labels) => [...labels].map(([name]) => name))),
  },
  {
    path: '/api/v1/label/:name/values',
    methods: GET,
    selectors: 'match[]',
    merge: (answers) => mergeTexts(answers as string[][]),
    ofSeries: (series, path) => {
      const name = unescapeLabelName(decodeURIComponent(path.split('/').at(-2) ?? ''));
      return series.map((labels) => labels.get(name)).filter((value) => value !== '');
    },
  },
  {
    path: '/api/v1/series',
    methods: BOTH,
    selectors: 'match[]',
    merge: (answers, { replicaLabels }) => mergeSeries(answers as WireLabels[][], replicaLabels),
    ofSeries: (series) => series.map((labels) => labels.toObject()),
  },
  {
    path: '/api/v1/query_exemplars',
    methods: BOTH,
    selectors: 'query',
    merge: (answers, { replicaLabels }) =>
      mergeExemplars(answers as WireExemplarSeries[][], replicaLabels),
  },
  {
    path: '/api/v1/metadata',
    methods: GET,
    selectors: null,
    merge: (answers, { form }) =>
      mergeMetadata(answers as WireMetadata[], {
        names: numberOf(form, 'limit'),
        perName: numberOf(form, 'limit_per_metric'),
      }),
  },
  {
    path: '/api/v1/targets/metadata',
    methods: GET,
    selectors: null,
    merge: (answers, { form }) => {
      const rows = mergeRows(answers as unknown[][]);
      const limit = numberOf(form, 'limit');
      return limit > 0 ? rows.slice(0, limit) : rows;
    },
  },
  {
    path: '/api/v1/targets',
    methods: GET,
    selectors: null,
    merge: (answers, { replicaLabels }) =>
      mergeTargets(withoutReplicaLabels(answers as TargetDiscovery[], replicaLabels)),
    mergeShards: (answers) => targetsOfShards(answers as TargetDiscovery[]),
  },
  {
    path: '/api/v1/rules',
    methods: GET,
    selectors: null,
    merge: (answers, { replicaLabels }) =>
      mergeRules(withoutReplicaLabels(answers as RuleDiscovery[], replicaLabels)),
    mergeShards: (answers) => rulesOfShards(answers as RuleDiscovery[]),
    notForShards: ['group_limit', 'group_next_token'],
  },
  {
    path: '/api/v1/alerts',
    methods: GET,
    selectors: null,
    merge: (answers, { replicaLabels }) =>
      mergeAlerts(withoutReplicaLabels(answers as AlertDiscovery[], replicaLabels)),
  },
];

/** 0 for none. */
function numberOf(form: URLSearchParams, name: string): number {
  const value = Number(form.get(name) ?? 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Rows up to the request's `limit`, as each member has cut its own. */
export function cutRows(
  data: unknown,
  form: URLSearchParams,
): { readonly data: unknown; readonly isCut: boolean } {
  const limit = numberOf(form, 'limit');
  if (limit === 0 || !Array.isArray(data) || data.length <= limit) return { data, isCut: false };
  return { data: data.slice(0, limit), isCut: true };
}
