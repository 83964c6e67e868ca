import { type ConfigNode, entryOf } from '@pollux/config';

/** A file that a configuration names and that must be there when it is used. */
export type NamedFile = { readonly path: string; readonly what: string };

/** Credentials and certificates of the scrape jobs, in the order of the file. */
export function namedFiles(root: ConfigNode): readonly NamedFile[] {
  const jobs = entryOf(root, 'scrape_configs');
  if (jobs?.kind !== 'list') return [];
  return jobs.items.flatMap((job) => {
    const tls = entryOf(job, 'tls_config');
    const authorization = entryOf(job, 'authorization');
    const basic = entryOf(job, 'basic_auth');
    return [
      ...named(authorization, 'credentials_file', 'authorization credentials or bearer token'),
      ...named(job, 'bearer_token_file', 'authorization credentials or bearer token'),
      ...named(basic, 'password_file', 'basic auth password'),
      ...named(tls, 'ca_file', 'CA cert'),
      ...named(tls, 'cert_file', 'client cert'),
      ...named(tls, 'key_file', 'client key'),
    ];
  });
}

function named(holder: ConfigNode | null, key: string, what: string): readonly NamedFile[] {
  const node = holder === null ? null : entryOf(holder, key);
  return node?.kind === 'scalar' && node.text !== '' ? [{ path: node.text, what }] : [];
}
