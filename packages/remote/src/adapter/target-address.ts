import { InputError } from '@pollux/base';

export type TargetAddress = {
  /** Without user and password, with a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/** Of a flag. A user and password in it go as a header, so that no log has them. Throws InputError. */
export function addressOf(flag: string, text: string): TargetAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new InputError('REMOTE.TARGET_ADDRESS', `--${flag}`, 'write http://host:port');
  }
  const { username, password } = url;
  [url.username, url.password, url.hash, url.search] = ['', '', '', ''];
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  const login = [username, password].map(decodeURIComponent);
  return {
    url: url.href,
    headers: username === '' ? {} : basicAuthorization(login[0] ?? '', login[1] ?? ''),
  };
}

export function basicAuthorization(user: string, password: string): TargetAddress['headers'] {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
