export { alertHash } from './alert/hash.ts';
export { Alertmanager, type PreparedConfig } from './alertmanager.ts';
export { API_VERSION } from './api/status.ts';
export {
  type ClusterChannel,
  type ClusterPort,
  type ClusterStatePart,
  NO_CLUSTER,
} from './cluster-port.ts';
export {
  type AlertmanagerConfig,
  type ReadConfigOptions,
  readConfig,
} from './config/config.ts';
export { fileBeside } from './config/receivers-beside.ts';
export {
  DingtalkWebhook,
  type DingtalkWebhookOptions,
} from './dingtalk-webhook/dingtalk-webhook.ts';
export {
  AlertError,
  DeliveryError,
  MatcherError,
  SilenceError,
  SilenceLimitError,
  SilenceNotFoundError,
  SnapshotError,
} from './errors.ts';
export { type MatcherMode, parseMatcher, parseMatchers } from './matcher/parse.ts';
export { decodeLog, type LogRecord } from './nflog/codec.ts';
export type { AlertmanagerOptions } from './options.ts';
export { createDingtalkSink, type DingtalkSinkOptions } from './sink/dingtalk-sink.ts';
export type { SinkMessage } from './sink/message.ts';
export { templateDataFromJson } from './template/data-from-json.ts';
export { NotificationTemplates } from './template/templates.ts';
