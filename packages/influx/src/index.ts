export type { PrometheusCodec, PrometheusQuery, PrometheusWrite } from './codec-port.ts';
export { decodeInfluxConfig, type InfluxConfig } from './config.ts';
export type {
  ColumnData,
  FieldKind,
  GroupIdentity,
  NanoRange,
  OpenQueryable,
  PointColumns,
  SeriesKey,
  StoreEngine,
  View,
  ViewSeries,
  WriteOutcome,
  WriteTarget,
} from './engine-port.ts';
export { registerInflux } from './http/routes.ts';
export { type ParsedLines, parseLines } from './line-protocol/parse.ts';
export { type Precision, UNIT_NANOS } from './line-protocol/precision.ts';
export { lineEnd } from './line-protocol/scan.ts';
export { MetaError } from './meta/errors.ts';
export { type InfluxOptions, InfluxService } from './service.ts';
export { PartialWriteError } from './write/errors.ts';
