import { createHash } from 'node:crypto';

/** SHA-256 of the group's key in hexadecimal: the name under which services keep one incident for one group. */
export function groupHash(groupKey: string): string {
  return createHash('sha256').update(groupKey).digest('hex');
}
