import { dirname, isAbsolute, join } from 'node:path';
import { type ConfigNode, optional, refuse, Secret } from '@pollux/config';
import { hidden, isGiven, NO_SECRET, secretUrl, text } from '../fields.ts';

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

export type TokenForm = {
  /** The key in the file. */
  readonly name: string;
  readonly token: Secret;
  readonly urlOf: (token: string) => string;
};

/** The robot of a block; null where nothing of it is given. */
export function robotAddress(
  node: ConfigNode,
  path: string,
  read: RobotAddress,
  { name, token, urlOf }: TokenForm,
): RobotAddress | null {
  if (isGiven(read.secret) && read.secret_file !== '') {
    refuse(node, path, 'at most one of secret & secret_file must be configured');
  }
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

/** All robots of a receiver: the one of its block and those of its list; at least one. */
export function allRobots(
  node: ConfigNode,
  path: string,
  name: string,
  robots: readonly (RobotAddress | null)[],
): readonly RobotAddress[] {
  const given = robots.filter((robot) => robot !== null);
  if (given.length === 0) {
    refuse(node, path, `exactly one of url, url_file & ${name} must be configured`);
  }
  return given;
}

/**
 * File names of these receivers are relative to the configuration's folder. (Upstream opens those of its own receivers from
 * the working directory, and so do we for them.)
 */
function beside(node: ConfigNode, name: string): string {
  return name === '' || isAbsolute(name) ? name : join(dirname(node.place.file), name);
}
