export { type GatewayConfig, type GroupConfig, parseGatewayConfig } from './config.ts';
export { VirtualHosts } from './door/virtual-hosts.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { type KnownReplica, type PastView, viewPast } from './past-view.ts';
export { type Piece, planQuery, spansBetween } from './plan.ts';
export { type QueryParams, readQueryParams } from './query-params.ts';
export { cutToSegments } from './splice/cut-to-segments.ts';
export { type Segment, Splice } from './splice/segments.ts';
export { Spool, SpoolError } from './write/spool.ts';
