import type { BuildInfo } from '@pollux/api-types';
import type { HttpResponse } from '@pollux/base';
import type { Exchange, Router } from '@pollux/http';
import { ParsedQueries, type ParserOptions } from '@pollux/promql/parser';
import type { ExemplarQueryable, Queryable } from '@pollux/storage';
import type { ApiHandler } from './call.ts';
import { ApiDoor, type DoorOptions } from './door.ts';
import { formatQuery, parseQuery, queryExemplars } from './handlers/expressions.ts';
import { instantQuery, rangeQuery } from './handlers/query.ts';
import { labelNames, labelValues, series } from './handlers/series.ts';
import { metadata } from './handlers/targets.ts';
import type { MetadataSource, QueryPort } from './ports.ts';

/** One of the databases that a process answers from. */
export type ReadSide = {
  readonly query: QueryPort;
  /** For series and labels. */
  readonly queryable: Queryable;
  /** Null while exemplars are not kept. */
  readonly exemplars: ExemplarQueryable | null;
  /** Null while metadata is not kept. */
  readonly metadata: MetadataSource | null;
};

export type ReadApiOptions = DoorOptions & {
  readonly buildInfo: BuildInfo;
  readonly parser: ParserOptions;
  /** `--query.lookback-delta`. */
  readonly lookbackMs: number;
  /** The database that a request is about, or the refusal of who may not ask it. `form` has parameters of URL and body. */
  readonly open: (exchange: Exchange, form: URLSearchParams) => ReadSide | HttpResponse;
};

/** Registers the part of Prometheus' HTTP API that reads samples, for a process of several databases and no targets. */
export function registerReadApi(router: Router, options: ReadApiOptions): void {
  const { parser, lookbackMs, buildInfo } = options;
  const door = new ApiDoor(router, options);
  const { limits } = door;
  const parsed = new ParsedQueries(parser);
  const of =
    (handler: (side: ReadSide) => ApiHandler): ApiHandler =>
    (call) => {
      const side = options.open(call.exchange, call.form);
      return 'status' in side ? { kind: 'refused', response: side } : handler(side)(call);
    };
  const queries = { coverage: null, lookbackMs, parsed };
  door.both(
    '/query',
    of(({ query }) => instantQuery({ ...queries, query })),
  );
  door.both(
    '/query_range',
    of(({ query }) => rangeQuery({ ...queries, query })),
  );
  door.both(
    '/labels',
    of(({ queryable }) => labelNames({ queryable, limits })),
  );
  door.get(
    '/label/:name/values',
    of(({ queryable }) => labelValues({ queryable, limits })),
  );
  door.both(
    '/series',
    of(({ queryable }) => series({ queryable, limits })),
  );
  door.both(
    '/query_exemplars',
    of(({ exemplars }) => queryExemplars(exemplars, parser, limits)),
  );
  door.get(
    '/metadata',
    of(({ metadata: known }) => metadata(() => (known === null ? [] : [known]))),
  );
  door.both('/format_query', formatQuery(parser));
  door.both('/parse_query', parseQuery(parser));
  door.get('/status/buildinfo', () => ({ kind: 'data', data: buildInfo }));
}
