import { errorText, type HttpResponse, LimitError, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { parseLines } from '../line-protocol/parse.ts';
import { type Precision, writePrecision } from '../line-protocol/precision.ts';
import { MetaError } from '../meta/errors.ts';
import { PartialWriteError } from '../write/errors.ts';
import { failure, noContent } from './answers.ts';
import type { HttpContext } from './context.ts';
import { BodyTooLargeError, readBody } from './request-body.ts';

const CONSISTENCY = new Set(['', 'any', 'one', 'quorum', 'all']);

/** POST /write. */
export async function serveWrite(context: HttpContext, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const database = query.get('db') ?? '';
  if (database === '') return failure(400, 'database is required');
  const precision = writePrecision(query.get('precision'));
  if (precision === null) {
    return failure(400, `invalid precision "${query.get('precision')}" (use n, u, ms, s, m or h)`);
  }
  if (!CONSISTENCY.has((query.get('consistency') ?? '').toLowerCase())) {
    return failure(400, 'invalid consistency level');
  }
  return writeLines(context, exchange, {
    database,
    retentionPolicy: query.get('rp') ?? '',
    precision,
  });
}

/** POST /api/v2/write: `bucket` is `database/policy`. */
export async function serveWriteV2(
  context: HttpContext,
  exchange: Exchange,
): Promise<HttpResponse> {
  const { query } = exchange;
  const [database = '', retentionPolicy = ''] = (query.get('bucket') ?? '').split('/');
  if (database === '') return failure(404, 'bucket not found');
  const text = query.get('precision');
  const precision = writePrecision(text === 'us' ? 'u' : text);
  if (precision === null) return failure(400, `invalid precision "${text}" (use ns, us, ms or s)`);
  return writeLines(context, exchange, { database, retentionPolicy, precision });
}

async function writeLines(
  context: HttpContext,
  exchange: Exchange,
  place: {
    readonly database: string;
    readonly retentionPolicy: string;
    readonly precision: Precision;
  },
): Promise<HttpResponse> {
  if (context.meta.database(place.database) === null) {
    return failure(404, `database not found: "${place.database}"`);
  }
  const refusal = context.access.refuseWrite(exchange, place.database);
  if (refusal !== null) return refusal;
  try {
    const body = await readBody(exchange.request, context.maxBodyBytes);
    context.metrics.writeRequests.inc();
    const parsed = parseLines(body, place.precision, context.clock.now(), {
      acceptsUnsigned: context.acceptsUnsigned,
      known: context.knownSeries,
    });
    if (parsed.failures.length > 0 && parsed.pointCount === 0 && parsed.droppedPoints === 0) {
      context.metrics.writeErrors.inc();
      return failure(400, parsed.failures.join('\n'));
    }
    await context.writer.write(place.database, place.retentionPolicy, parsed.batch);
    context.metrics.points.inc(parsed.pointCount);
    if (parsed.dropReason !== null)
      throw new PartialWriteError(parsed.dropReason, parsed.droppedPoints);
    if (parsed.failures.length > 0) throw new PartialWriteError(parsed.failures.join('\n'), 0);
    return noContent();
  } catch (error) {
    context.metrics.writeErrors.inc();
    return writeFailure(error);
  }
}

/** The status that influxd answers; a full queue is 503 so that writers come back. */
export function writeFailure(error: unknown): HttpResponse {
  if (!OperatingError.is(error)) throw error;
  if (error instanceof BodyTooLargeError || error.code === 'HTTP.BODY_TOO_LARGE') {
    return failure(413, 'Request Entity Too Large');
  }
  if (error instanceof PartialWriteError || error.code === 'INFLUX.GZIP')
    return failure(400, error.message);
  // An unknown retention policy is 500 in influxd, which makes writers retry until it exists.
  if (error instanceof MetaError) return failure(500, error.message);
  if (error instanceof LimitError) return failure(503, error.message);
  return failure(500, errorText(error));
}
