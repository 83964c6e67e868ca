import {
  boolean,
  type ConfigNode,
  type Decoded,
  type Decoder,
  nullable,
  object,
  optional,
  record,
  refuse,
  string,
} from '@pollux/config';
import { clientConfigFields } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { flag, hidden, type IntegrationSettings, isGiven, text } from '../fields.ts';

export const DEFAULT_SUBJECT = '{{ template "email.default.subject" . }}';

/** `host:port`, as it is written; empty for none. */
export const hostPort: Decoder<string> = (node, path, context) => {
  const written = string(node, path, context);
  if (written === '') return '';
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(written);
  if (match === null) {
    const problem = /:.*:/.test(written) ? 'too many colons in address' : 'missing port in address';
    return refuse(node, path, `address ${written}: ${problem}`);
  }
  if (match[3] === '') refuse(node, path, `address "${written}": port cannot be empty`);
  return written;
};

const own = {
  to: text(),
  from: text(),
  hello: text(),
  smarthost: optional(hostPort, ''),
  auth_username: text(),
  auth_password: hidden(),
  auth_password_file: text(),
  auth_secret: hidden(),
  auth_secret_file: text(),
  auth_identity: text(),
  headers: optional(record(string), {}),
  html: text('{{ template "email.default.html" . }}'),
  text: text(),
  require_tls: optional(nullable(boolean), null),
  tls_config: clientConfigFields.tls_config,
  force_implicit_tls: optional(nullable(boolean), null),
  threading: optional(object({ enabled: flag(), thread_by_date: text() }), {
    enabled: false,
    thread_by_date: '',
  }),
} as const;

type Read = Decoded<typeof own>;

/** Mail has no http_config. */
export type EmailConfig = Omit<IntegrationSettings<'email', EmailSettings>, 'http'> & {
  readonly http: null;
  /**
   * The block's own secret is sent. Upstream fills in the file of the global block beside it, shows both, and sends what is
   * in the file.
   */
  readonly hasOwnSecret: boolean;
};
export type EmailSettings = Omit<Read, 'require_tls'> & { readonly require_tls: boolean };

const fields = object({ send_resolved: flag(), ...own });

export const emailConfig =
  (global: GlobalConfig): Decoder<EmailConfig> =>
  (node, path, context) => {
    const { send_resolved, ...read } = fields(node, path, context);
    if (read.to === '') refuse(node, path, 'missing to address in email config');
    const headers = canonicalHeaders(node, path, read.headers);
    checkThreading(node, path, read, headers);
    const smarthost = read.smarthost === '' ? global.smtp_smarthost : read.smarthost;
    if (smarthost === '') refuse(node, path, 'no global SMTP smarthost set');
    const from = read.from === '' ? global.smtp_from : read.from;
    if (from === '') refuse(node, path, 'no global SMTP from set');
    const settings = {
      ...read,
      ...credentials(read, global),
      headers,
      smarthost,
      from,
      hello: read.hello === '' ? global.smtp_hello : read.hello,
      tls_config: read.tls_config ?? global.smtp_tls_config,
      require_tls: read.require_tls ?? global.smtp_require_tls,
      force_implicit_tls: read.force_implicit_tls ?? global.smtp_force_implicit_tls,
    };
    const hasOwnSecret = isGiven(read.auth_secret);
    return { kind: 'email', sendResolved: send_resolved, http: null, settings, hasOwnSecret };
  };

function credentials(read: Read, global: GlobalConfig) {
  const hasPassword = isGiven(read.auth_password) || read.auth_password_file !== '';
  return {
    auth_username: read.auth_username === '' ? global.smtp_auth_username : read.auth_username,
    auth_identity: read.auth_identity === '' ? global.smtp_auth_identity : read.auth_identity,
    auth_password: hasPassword ? read.auth_password : global.smtp_auth_password,
    auth_password_file: hasPassword ? read.auth_password_file : global.smtp_auth_password_file,
    auth_secret: isGiven(read.auth_secret) ? read.auth_secret : global.smtp_auth_secret,
    auth_secret_file: read.auth_secret_file || global.smtp_auth_secret_file,
  };
}

/** Names of headers are the same in any case: `message-id` becomes `Message-Id`. */
function canonicalHeaders(
  node: ConfigNode,
  path: string,
  written: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(written)) {
    const canonical = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)
      ? name.toLowerCase().replace(/(?:^|-)[a-z]/g, (letters) => letters.toUpperCase())
      : name;
    if (headers.has(canonical)) {
      refuse(node, path, `duplicate header "${canonical}" in email config`);
    }
    headers.set(canonical, value);
  }
  return Object.fromEntries(headers);
}

function checkThreading(
  node: ConfigNode,
  path: string,
  { threading }: Read,
  headers: Readonly<Record<string, string>>,
): void {
  if (!threading.enabled) return;
  for (const name of ['References', 'In-Reply-To']) {
    if (!Object.hasOwn(headers, name)) continue;
    refuse(
      node,
      path,
      `conflicting configuration: threading.enabled conflicts with custom ${name} header`,
    );
  }
  if (!['none', 'daily'].includes(threading.thread_by_date)) {
    refuse(node, path, "threading.thread_by_date must be either 'none' or 'daily'");
  }
}
