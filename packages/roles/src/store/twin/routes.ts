import {
  type Clock,
  type HttpResponse,
  InputError,
  type StopSignal,
  stopAfter,
  TimeoutError,
  Turns,
} from '@pollux/base';
import { type Exchange, json, type Router, text } from '@pollux/http';
import type { InfluxService } from '@pollux/influx';
import { BUCKETS, type CopyExchange, type CopyPlace, WINDOW_MS } from '@pollux/shards';
import { decodeHeld, encodeDifference, TWIN_PATH } from './wire.ts';

const TIMEOUT_MS = 60_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Of one answer, about. */
const MOST_ROWS = 200_000;
/** Questions that wait; more are told to come again. */
const MAX_WAITING = 4;

/** Answers a twin that compares what it holds with this store. Whoever may read a database may ask about it. */
export function registerTwin(
  router: Router,
  parts: {
    readonly clock: Clock;
    readonly service: InfluxService;
    readonly copies: CopyExchange;
  },
): void {
  const { clock, service, copies } = parts;
  const turns = new Turns();
  let waiting = 0;
  const inTurn = async (exchange: Exchange, work: Work): Promise<HttpResponse> => {
    const place = placeOf(exchange);
    const opened = service.openRead(exchange, place);
    if ('status' in opened) return opened;
    if (waiting >= MAX_WAITING)
      return text(503, `${MAX_WAITING} questions of twins are waiting; ask again later`);
    const late = (): Error => new TimeoutError(`comparing took longer than ${TIMEOUT_MS} ms`);
    const limit = stopAfter(clock, TIMEOUT_MS, late, exchange.signal);
    waiting++;
    try {
      const body = new TextDecoder().decode(await exchange.request.body(MAX_BODY_BYTES));
      const named = { ...place, retentionPolicy: policyOf(service, place) };
      return await turns.take(() => work(named, body, limit.signal));
    } finally {
      waiting--;
      limit.release();
    }
  };
  const answer = async (exchange: Exchange, work: Work): Promise<HttpResponse> => {
    try {
      return await inTurn(exchange, work);
    } catch (error) {
      // What the question is wrong in; all else is the router's to answer.
      if (error instanceof InputError) return text(400, error.message);
      throw error;
    }
  };
  router.on('GET', TWIN_PATH, (exchange) =>
    answer(exchange, async (place, _body, signal) =>
      json(200, { sums: await copies.sums(place, signal) }),
    ),
  );
  router.on('POST', TWIN_PATH, (exchange) =>
    answer(exchange, async (place, body, signal) => {
      const bucket = Number(exchange.query.get('bucket'));
      if (!Number.isInteger(bucket) || bucket < 0 || bucket >= BUCKETS)
        throw new InputError('ROLES.TWIN', 'bucket', `is none of 0 to ${BUCKETS - 1}`);
      const how = { bucket, theirs: decodeHeld(body), mostRows: MOST_ROWS };
      const found = encodeDifference(await copies.difference(place, how, signal));
      return { ...text(200, found), headers: { 'content-type': 'application/json' } };
    }),
  );
}

type Work = (place: CopyPlace, body: string, signal: StopSignal) => Promise<HttpResponse>;

function placeOf({ query }: Exchange): CopyPlace {
  const startMs = Number(query.get('start'));
  if (!Number.isInteger(startMs) || startMs % WINDOW_MS !== 0)
    throw new InputError('ROLES.TWIN', 'start', 'is no begin of a window');
  return {
    database: query.get('db') ?? '',
    retentionPolicy: query.get('rp') ?? '',
    startMs,
  };
}

/** An empty name is the default one. */
function policyOf({ meta }: InfluxService, { database, retentionPolicy }: CopyPlace): string {
  return meta.requirePolicy(meta.requireDatabase(database), retentionPolicy).name;
}
