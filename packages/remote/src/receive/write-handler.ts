import { DecodeError, errorText, InputError, LimitError, type Random } from '@pollux/base';
import { type Exchange, type RouteHandler, text } from '@pollux/http';
import { type Appendable, UnavailableError } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { Receiver } from './receiver.ts';
import type { Stored } from './write-request.ts';

/** Compressed bodies over this are refused before they are read whole. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** When to send again what a storage that is starting cannot take yet. */
const RETRY_AFTER_SECONDS = 5;

export type WriteHandlerOptions = {
  /**
   * Where the samples of this request go: one storage for a server, an engine by database and retention policy for a
   * store. An InputError it throws is answered with 400. The same object must come back for the same place, as what is
   * known of its series belongs to it.
   */
  readonly appendable: (exchange: Exchange) => Appendable | Promise<Appendable>;
  readonly random: Random;
  readonly registry: Registry;
  readonly log: Log;
};

/** The remote write 1.0 receiver: `POST /api/v1/write`, 204 when stored, 503 with Retry-After while the storage starts. */
export function writeHandler(options: WriteHandlerOptions): RouteHandler {
  const { registry, log, random } = options;
  const receivers = new WeakMap<Appendable, Receiver>();
  const invalid = registry.counter(
    'prometheus_api_remote_write_invalid_labels_samples_total',
    'The total number of received remote write samples and histogram samples which contains invalid labels.',
  );
  const withoutMetadata = registry.counter(
    'prometheus_api_remote_write_without_metadata_appended_samples_total',
    'The total number of received remote write samples (and histogram samples) which were ingested without corresponding metadata.',
  );
  return async (exchange) => {
    const { headers } = exchange.request;
    const unsupported = unsupportedReason(headers['content-type'], headers['content-encoding']);
    if (unsupported !== null) return text(415, `${unsupported}\n`);
    try {
      const body = await exchange.request.body(MAX_BODY_BYTES);
      const appendable = await options.appendable(exchange);
      let receiver = receivers.get(appendable);
      if (receiver === undefined) {
        receiver = new Receiver(appendable, random);
        receivers.set(appendable, receiver);
      }
      const stored = await receiver.receive(body);
      if (stored.invalidLabels > 0) {
        invalid.inc(stored.invalidLabels);
        log.warn('remote write: series with invalid labels left out', {
          samples: stored.invalidLabels,
          first: stored.invalidReason,
        });
      }
      withoutMetadata.inc(stored.samples + stored.histograms);
      // Sent again they would be refused again, and hold up the known series behind them: 400, as the field's receivers do.
      if (stored.limitedSeries > 0) return text(400, `${limitText(stored)}\n`);
      return { status: 204 };
    } catch (error) {
      if (LimitError.is(error) && error.code === 'HTTP.BODY_TOO_LARGE') {
        return text(413, `${errorText(error)}\n`);
      }
      const unavailable = UnavailableError.behind(error);
      if (unavailable !== null) {
        const answer = text(503, `${errorText(unavailable)}\n`);
        const headers = { ...answer.headers, 'retry-after': String(RETRY_AFTER_SECONDS) };
        return { ...answer, headers };
      }
      if (isClientError(error)) return text(400, `${errorText(error)}\n`);
      log.error('remote write: could not store', { err: errorText(error) });
      return text(500, `${errorText(error)}\n`);
    }
  };
}

function limitText({ limitedSeries, firstLimited }: Stored): string {
  return `a limit on series refused ${limitedSeries} new series, the first ${firstLimited}; the rest of the request was stored. Raise storage.tsdb.series_limits, or send fewer series`;
}

/** What sending again cannot mend. A limit of the storage may be raised, so it stays a 500 and the sender tries again. */
function isClientError(error: unknown): boolean {
  if (error instanceof DecodeError || error instanceof InputError) return true;
  return LimitError.is(error) && error.code === 'REMOTE.DECODED_TOO_LARGE';
}

/** Why this message is not taken, or null. A request without these headers counts as version 1.0, as with Prometheus. */
function unsupportedReason(type: string | undefined, encoding: string | undefined): string | null {
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'snappy') {
    return `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable`;
  }
  if (type === undefined || type === '') return null;
  const [media = '', ...parameters] = type.split(';').map((part) => part.trim());
  if (media.toLowerCase() !== 'application/x-protobuf') {
    return `expected application/x-protobuf as the first (media) part, got ${type} content-type`;
  }
  const proto = parameters.find((part) => part.toLowerCase().startsWith('proto='));
  if (proto === undefined || proto.slice(6) === 'prometheus.WriteRequest') return null;
  return `${proto.slice(6)} protobuf message is not accepted by this server; only accepts prometheus.WriteRequest`;
}
