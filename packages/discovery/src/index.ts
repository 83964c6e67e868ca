export { nodeIdentity } from './config/node-identity.ts';
export type {
  Discoverer,
  DiscovererDeps,
  EmitGroups,
  Mechanism,
  ProviderSpec,
  TargetGroup,
} from './discoverer.ts';
export {
  type DiscoveredTargets,
  type DiscoveryChange,
  DiscoveryManager,
  type DiscoveryOptions,
} from './discovery-manager.ts';
export { fileSdConfigs } from './file/file-discovery.ts';
export { httpSdConfigs } from './http/http-discovery.ts';
export { discoveryFields, MECHANISMS, providersOf } from './mechanisms.ts';
export { DiscoveryMetrics } from './metrics.ts';
export { staticConfigs } from './static/static-discovery.ts';
