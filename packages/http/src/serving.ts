/** The serving half of the room alone: a role that calls nobody need not load the client's YAML settings (10 MB). */
export { formatAddress, parseAddress } from './address.ts';
export { withCompression } from './compress.ts';
export { type Exchange, formOf, hasFormBody, json, type RouteHandler, text } from './exchange.ts';
export { type ExchangeObserver, Router, type RouterOptions } from './router.ts';
