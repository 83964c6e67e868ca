import type { Random } from '@pollux/base';
import type { PrometheusCodec, PrometheusWrite } from '@pollux/influx';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkFrameWriter,
  decodeLabels,
  decodeReadRequest,
  encodeReadResponse,
  type NumberedRequest,
  QueryResultEncoder,
  readLabelSpans,
  snappyDecode,
  snappyEncode,
  WriteReader,
} from '@pollux/remote';
import { NO_HINTS } from '@pollux/storage';

/** Gives the influx room Prometheus' wire in the form that it declares. */
export function prometheusCodec(random: Random): PrometheusCodec {
  const reader = new WriteReader(random);
  return {
    decodeWrite: (body, use) => reader.read(body, (request) => use(writeOf(request))),
    decodeRead: async (body) => {
      const { queries, accepted } = decodeReadRequest(await snappyDecode(body));
      return {
        queries: queries.map((query) => ({ ...query, hints: query.hints ?? NO_HINTS })),
        prefersChunks: accepted[0] === 'streamed-xor-chunks',
        acceptsSamples: accepted.length === 0 || accepted.includes('samples'),
      };
    },
    encodeRead: async (results) => {
      const encoded = results.map((series) => {
        const encoder = new QueryResultEncoder();
        for (const columns of series) encoder.add(columns);
        return encoder.bytes();
      });
      return snappyEncode(encodeReadResponse(encoded));
    },
    async *encodeChunks(batches) {
      const writer = new ChunkFrameWriter(0);
      for await (const batch of batches) {
        for (const columns of batch) writer.add(columns);
        yield* writer.takeFull();
      }
      yield* writer.finish();
    },
    chunkedContentType: `${CHUNKED_CONTENT_TYPE}; proto=prometheus.ChunkedReadResponse`,
  };
}

function writeOf(request: NumberedRequest): PrometheusWrite {
  const { labelData, labelStarts, labelEnds } = request;
  return {
    numbers: request.seriesRefs,
    numbering: request.numbering,
    labelData,
    spansOf: (series, spans) =>
      readLabelSpans(labelData, labelStarts[series] ?? 0, labelEnds[series] ?? 0, spans),
    // An invalid set still has a reading; which names are bad is the sender's to know.
    labelsOf: (series) =>
      decodeLabels(labelData, labelStarts[series] ?? 0, labelEnds[series] ?? 0).labels,
    sampleCount: request.sampleCount,
    sampleSeries: request.sampleSeries,
    timestampsMs: request.timestampsMs,
    values: request.values,
    histograms: request.histograms,
    exemplars: request.exemplars,
    metadata: request.metadata.map(({ family: name, ...rest }) => ({ name, ...rest })),
  };
}
