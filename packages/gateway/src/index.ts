export { type GatewayConfig, type GroupConfig, parseGatewayConfig } from './config.ts';
export { VirtualHosts } from './door/virtual-hosts.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { Spool, SpoolError } from './write/spool.ts';
