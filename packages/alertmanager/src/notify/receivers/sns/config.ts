import {
  type Decoded,
  type Decoder,
  object,
  optional,
  record,
  refuse,
  string,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { flag, hidden, type IntegrationSettings, isGiven, sharedFields, text } from '../fields.ts';

const sigv4Fields = {
  region: text(),
  access_key: text(),
  secret_key: hidden(),
  profile: text(),
  role_arn: text(),
  external_id: text(),
  use_fips_sts_endpoint: flag(),
  // Of other users of this block; here the service is known.
  service_name: text(),
} as const;

export type Sigv4Config = Decoded<typeof sigv4Fields>;

const sigv4: Decoder<Sigv4Config> = (node, path, context) => {
  const read = object(sigv4Fields)(node, path, context);
  if ((read.access_key === '') !== !isGiven(read.secret_key)) {
    refuse(
      node,
      path,
      'must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config',
    );
  }
  if (read.external_id !== '' && read.role_arn === '') {
    refuse(node, path, 'external_id can only be used with role_arn');
  }
  return read;
};

const NO_SIGV4 = sigv4({ kind: 'null', place: { file: '', line: 0, column: 0 } }, 'sigv4', {
  unknownKeys: 'error',
  warnings: [],
});

const own = {
  api_url: text(),
  sigv4: optional(sigv4, NO_SIGV4),
  topic_arn: text(),
  phone_number: text(),
  target_arn: text(),
  subject: text('{{ template "sns.default.subject" . }}'),
  message: text('{{ template "sns.default.message" . }}'),
  attributes: optional(record(string), {}),
  // Upstream chooses between two HTTP libraries by it; here is only one.
  use_aws_http_client: flag(),
} as const;

export type SnsConfig = IntegrationSettings<'sns', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const snsConfig =
  (global: GlobalConfig): Decoder<SnsConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    const given = [read.target_arn, read.topic_arn, read.phone_number].filter((to) => to !== '');
    // Upstream compares three truths in a row, so that all three together pass too.
    if (given.length % 2 === 0) {
      refuse(
        node,
        path,
        'must provide either a Target ARN, Topic ARN, or Phone Number for SNS config',
      );
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'sns', sendResolved: send_resolved, http, settings: read };
  };
