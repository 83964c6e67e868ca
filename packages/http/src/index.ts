export { formatAddress, parseAddress } from './address.ts';
export {
  type ClientConfig,
  type ClientSettings,
  clientConfigFields,
  clientSettings,
  PROTOCOL_HEADERS,
} from './client-config.ts';
export { withCompression } from './compress.ts';
export type { Variables } from './environment-proxy.ts';
export { type Exchange, formOf, hasFormBody, json, type RouteHandler, text } from './exchange.ts';
export {
  checkHttpConfig,
  DEFAULT_HTTP_CONFIG,
  type HttpConfig,
  httpConfig,
  httpConfigFields,
} from './http-config.ts';
export {
  type HttpConfigAnswer,
  HttpConfigClient,
  type HttpConfigClientOptions,
  type HttpExchange,
} from './http-config-client.ts';
export { ProxyAddress } from './proxy-config.ts';
export { type ExchangeObserver, Router, type RouterOptions } from './router.ts';
export { checkTracing, tracingFields, tracingSettings } from './tracing-config.ts';
