import { METRIC_NAME } from '@pollux/model';
import type { VectorSelector } from '../parser/ast.ts';

/** True when all series of the selector have one name: they differ in other labels, and do so without it. */
export function hasPinnedName({ matchers }: VectorSelector): boolean {
  return matchers.some(
    ({ name, operator, value }) => name === METRIC_NAME && operator === '=' && value !== '',
  );
}
