import type { Deviation } from './deviations.ts';

/** All in which 3.x may differ: where it is itself in doubt. */
export const YOUNGER_DEVIATIONS: readonly Deviation[] = [];
