export { type GatewayConfig, type GroupConfig, parseGatewayConfig } from './config.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
