export { Forwarding, type ForwardingOptions } from './forwarding.ts';
export { GraphiteTarget } from './graphite-target.ts';
export { type InfluxPlace, influxBucket, influxDatabase } from './influx-place.ts';
export { InfluxQueryable } from './influx-queryable.ts';
export { InfluxTarget } from './influx-target.ts';
export { OpentsdbTarget } from './opentsdb-target.ts';
export type { TextTarget } from './text-target.ts';
