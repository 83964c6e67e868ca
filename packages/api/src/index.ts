export { CachedQueryPort, type CachedQueryPortOptions } from './cached-query-port.ts';
export { EngineQueryPort } from './engine-query-port.ts';
export { federate } from './federate.ts';
export type {
  ActiveQueriesPort,
  AdminPort,
  AlertmanagersPort,
  AlertView,
  CoveragePort,
  DroppedTargetView,
  LifecyclePort,
  MetadataSource,
  QueryFigures,
  QueryPort,
  QueryPortAnswer,
  QueryPortRequest,
  RuleGroupView,
  RulesPort,
  RuleView,
  StatusPort,
  TargetsPort,
  TargetView,
} from './ports.ts';
export type { Readiness } from './readiness.ts';
export { type ApiOptions, registerApi } from './register.ts';
export { type ReadApiOptions, type ReadSide, registerReadApi } from './register-read.ts';
