import { dirname, isAbsolute, join } from 'node:path';
import { type ConfigNode, optional, refuse, Secret } from '@pollux/config';
import { atMostOne, hidden, isGiven, NO_SECRET, secretUrl, text } from '../fields.ts';

/** Where a robot is, and the key of its signature if it has one. */
export type RobotAddress = {
  /** Empty when {@link url_file} is given. */
  readonly url: Secret;
  readonly url_file: string;
  readonly secret: Secret;
  readonly secret_file: string;
};

/** Fields of one robot; receivers add what stands for the address, as an access token. */
export const robotFields = {
  url: optional(secretUrl, NO_SECRET),
  url_file: text(),
  secret: hidden(),
  secret_file: text(),
} as const;

/** How a service names what stands for an address, and the address it stands for. */
export type TokenForm = {
  /** The key in the file. */
  readonly name: string;
  readonly urlOf: (token: string) => string;
};

/** One robot as it was read: an address, or the token that stands for it. */
export type ReadRobot = RobotAddress & { readonly token: Secret };

/** All robots of a receiver, that of its block and those of its list; at least one must be given. */
export function robotsOf(
  node: ConfigNode,
  path: string,
  form: TokenForm,
  read: readonly ReadRobot[],
): readonly RobotAddress[] {
  const robots = read
    .map((robot) => robotAddress(node, path, form, robot))
    .filter((robot) => robot !== null);
  if (robots.length === 0) {
    refuse(node, path, `exactly one of url, url_file & ${form.name} must be configured`);
  }
  return robots;
}

/** The robot of a block; null where nothing of it is given. */
function robotAddress(
  node: ConfigNode,
  path: string,
  { name, urlOf }: TokenForm,
  { token, ...read }: ReadRobot,
): RobotAddress | null {
  atMostOne(node, path, ['secret', 'secret_file'], [read.secret, read.secret_file]);
  const sources = [read.url.reveal(), read.url_file, token.reveal()];
  const count = sources.filter((source) => source !== '').length;
  if (count > 1) {
    refuse(node, path, `exactly one of url, url_file & ${name} must be configured`);
  }
  if (count === 0) return null;
  return {
    url: isGiven(token) ? new Secret(urlOf(token.reveal())) : read.url,
    url_file: beside(node, read.url_file),
    secret: read.secret,
    secret_file: beside(node, read.secret_file),
  };
}

/** The address with a parameter in its query. */
export function withParameter(address: string, name: string, value: string): string {
  const url = new URL(address);
  url.searchParams.set(name, value);
  return url.toString();
}

/**
 * File names of these receivers are relative to the configuration's folder. (Upstream opens those of its own receivers from
 * the working directory, and so do we for them.)
 */
function beside(node: ConfigNode, name: string): string {
  return name === '' || isAbsolute(name) ? name : join(dirname(node.place.file), name);
}
