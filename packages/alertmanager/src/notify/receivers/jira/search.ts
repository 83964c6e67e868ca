import type { JiraConfig } from './config.ts';

type Settings = JiraConfig['settings'];

/** The label by which the issue of a group is found again. */
export function issueLabel(hash: string): string {
  return `ALERT{${hash}}`;
}

/**
 * JQL for the issue of a group: an open one, or, while alerts fire and a reopen transition is given, one resolved within
 * the reopen duration. `resolution != X` alone would leave out issues without any resolution, that is the open ones.
 */
export function issueQuery(
  settings: Settings,
  group: { readonly hash: string; readonly isFiring: boolean; readonly project: string },
): string {
  const { wont_fix_resolution: wontFix, reopen_transition: reopen } = settings;
  const minutes = Math.trunc(settings.reopen_duration / 60_000);
  const mayReopen = group.isFiring && reopen !== '' && minutes > 0;
  const parts = [
    ...(wontFix === ''
      ? []
      : [`(resolution is EMPTY or resolution != ${JSON.stringify(wontFix)})`]),
    mayReopen
      ? `(resolutiondate is EMPTY OR resolutiondate >= -${minutes}m)`
      : 'statusCategory != Done',
    `project=${JSON.stringify(group.project)}`,
    `labels=${JSON.stringify(issueLabel(group.hash))}`,
  ];
  return `${parts.join(' and ')} order by status ASC,resolutiondate DESC`;
}

/** The cloud has another search than the data centre's; "auto" goes by the host. */
export function searchUrl({ api_url: address, api_type: type }: Settings): string {
  const isCloudHost = new URL(address).host.endsWith('atlassian.net');
  if (type === 'cloud' || (type === 'auto' && isCloudHost)) {
    return joined(address, 'search/jql').replace('/rest/api/2/', '/rest/api/3/');
  }
  return joined(address, 'search');
}

export function joined(address: string, path: string): string {
  const url = new URL(address);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url.toString();
}
