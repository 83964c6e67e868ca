import { DeliveryError } from '../../../errors.ts';
import type { Variables } from '../build-options.ts';
import type { Sigv4Config } from './config.ts';
import type { AwsProfile, SharedFiles } from './shared-files.ts';
import type { AwsCredentials } from './signature.ts';

export type AwsRole = {
  readonly arn: string;
  /** Empty for one that is made up. */
  readonly sessionName: string;
  /** Empty for none. */
  readonly externalId: string;
  /** Empty for what the service gives. */
  readonly durationSeconds: string;
};

/** Where credentials come from. */
export type CredentialSource =
  | { readonly kind: 'keys'; readonly credentials: AwsCredentials }
  | { readonly kind: 'role'; readonly role: AwsRole; readonly source: CredentialSource }
  | { readonly kind: 'web-identity'; readonly role: AwsRole; readonly tokenFile: string }
  | { readonly kind: 'container' }
  | { readonly kind: 'instance' };

/** Roles that are taken on by way of other profiles; more is a circle. */
const MAX_PROFILES = 10;

/**
 * The first that says something, in the order of AWS' own libraries: keys of the configuration; a profile that it names;
 * keys of the environment; a token of the environment that stands for a role (Kubernetes); the usual profile; the container;
 * the machine. A role of the configuration is taken on with what was found.
 */
export function credentialSource(
  config: Sigv4Config,
  variables: Variables,
  files: SharedFiles,
): CredentialSource {
  const source = beforeRole(config, variables, files);
  if (config.role_arn === '') return source;
  const role = { arn: config.role_arn, externalId: config.external_id };
  return { kind: 'role', role: { ...role, sessionName: '', durationSeconds: '' }, source };
}

function beforeRole(
  { access_key: accessKey, secret_key: secretKey, profile }: Sigv4Config,
  variables: Variables,
  files: SharedFiles,
): CredentialSource {
  if (accessKey !== '') {
    return keys({ accessKey, secretKey: secretKey.reveal(), sessionToken: '' });
  }
  if (profile !== '') return ofProfile(profile, variables, files);
  const ofEnvironment = environmentKeys(variables);
  if (ofEnvironment !== null) return ofEnvironment;
  const tokenFile = variables.AWS_WEB_IDENTITY_TOKEN_FILE ?? '';
  if (tokenFile !== '') {
    const arn = variables.AWS_ROLE_ARN ?? '';
    const sessionName = variables.AWS_ROLE_SESSION_NAME ?? '';
    return webIdentity({ arn, sessionName, externalId: '', durationSeconds: '' }, tokenFile);
  }
  return ofProfile(files.usualProfile, variables, files);
}

function keys(credentials: AwsCredentials): CredentialSource {
  return { kind: 'keys', credentials };
}

function environmentKeys(variables: Variables): CredentialSource | null {
  const accessKey = variables.AWS_ACCESS_KEY_ID || variables.AWS_ACCESS_KEY;
  const secretKey = variables.AWS_SECRET_ACCESS_KEY || variables.AWS_SECRET_KEY;
  if (!accessKey || !secretKey) return null;
  return keys({ accessKey, secretKey, sessionToken: variables.AWS_SESSION_TOKEN ?? '' });
}

function webIdentity(role: AwsRole, tokenFile: string): CredentialSource {
  if (role.arn !== '') return { kind: 'web-identity', role, tokenFile };
  throw refused('a web identity token needs the role that it stands for (AWS_ROLE_ARN)');
}

function ofProfile(
  name: string,
  variables: Variables,
  files: SharedFiles,
  seen: readonly string[] = [],
): CredentialSource {
  const found = files.profile(name);
  if (found === null && (name !== 'default' || seen.length > 0)) {
    throw refused(`failed to get shared config profile, ${name}`);
  }
  if (seen.length >= MAX_PROFILES) {
    throw refused(`profile ${name} takes on roles by way of too many profiles`);
  }
  const profile = found ?? (new Map() as AwsProfile);
  const role = roleOf(profile);
  const tokenFile = profile.get('web_identity_token_file') ?? '';
  const next = profile.get('source_profile') ?? '';
  if (next !== '' && next !== name && role !== null) {
    const source = ofProfile(next, variables, files, [...seen, name]);
    return { kind: 'role', role, source };
  }
  const own = profileKeys(profile);
  if (own === null && tokenFile !== '') {
    return webIdentity(role ?? { ...NO_ROLE }, tokenFile);
  }
  const source = own ?? elsewhere(name, profile, variables);
  return role === null ? source : { kind: 'role', role, source };
}

const NO_ROLE: AwsRole = { arn: '', sessionName: '', externalId: '', durationSeconds: '' };

function roleOf(profile: AwsProfile): AwsRole | null {
  const arn = profile.get('role_arn') ?? '';
  if (arn === '') return null;
  return {
    arn,
    sessionName: profile.get('role_session_name') ?? '',
    externalId: profile.get('external_id') ?? '',
    durationSeconds: profile.get('duration_seconds') ?? '',
  };
}

function profileKeys(profile: AwsProfile): CredentialSource | null {
  const accessKey = profile.get('aws_access_key_id') ?? '';
  const secretKey = profile.get('aws_secret_access_key') ?? '';
  if (accessKey === '' || secretKey === '') return null;
  return keys({ accessKey, secretKey, sessionToken: profile.get('aws_session_token') ?? '' });
}

function elsewhere(name: string, profile: AwsProfile, variables: Variables): CredentialSource {
  for (const way of ['sso_session', 'sso_start_url', 'login_session', 'credential_process']) {
    if (profile.has(way)) throw refused(`${way} of profile ${name} is not supported`);
  }
  const hasContainer =
    variables.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ||
    variables.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  switch (profile.get('credential_source') ?? '') {
    case '':
      return { kind: hasContainer ? 'container' : 'instance' };
    case 'Environment': {
      const found = environmentKeys(variables);
      if (found !== null) return found;
      throw refused(`profile ${name} wants credentials of the environment, which has none`);
    }
    case 'EcsContainer':
      return { kind: 'container' };
    case 'Ec2InstanceMetadata':
      return { kind: 'instance' };
    default:
      throw refused(
        `credential_source of profile ${name} must be Environment, EcsContainer or Ec2InstanceMetadata`,
      );
  }
}

/** Files and variables may be mended while the message waits. */
function refused(message: string): DeliveryError {
  return new DeliveryError(message, { retry: true });
}
