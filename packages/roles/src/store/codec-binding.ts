import type { PrometheusCodec } from '@pollux/influx';
import type { Labels } from '@pollux/model';
import {
  decodeLabels,
  decodeReadRequest,
  decodeWriteRequest,
  encodeReadResponse,
  QueryResultEncoder,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';

/** Gives the influx room Prometheus' wire in the form that it declares. */
export const PROMETHEUS_CODEC: PrometheusCodec = {
  decodeWrite: async (body) => {
    const columns = decodeWriteRequest(await snappyDecode(body));
    const { labelData, labelStarts, labelEnds } = columns;
    return {
      seriesCount: columns.seriesCount,
      // An invalid set still has a reading; which names are bad is the sender's to know.
      labels: (series): Labels =>
        decodeLabels(labelData, labelStarts[series] ?? 0, labelEnds[series] ?? 0).labels,
      sampleCount: columns.sampleCount,
      sampleSeries: columns.sampleSeries,
      timestampsMs: columns.timestampsMs,
      values: columns.values,
      histogramCount: columns.histograms.length,
    };
  },
  decodeRead: async (body) => decodeReadRequest(await snappyDecode(body)).queries,
  encodeRead: async (results) => {
    const encoded = results.map((series) => {
      const encoder = new QueryResultEncoder();
      for (const columns of series) encoder.add(columns);
      return encoder.bytes();
    });
    return snappyEncode(encodeReadResponse(encoded));
  },
};
