import { configureGlobal } from 'fast-check';

/**
 * Properties of one checkout try the same cases each time, so that what they find belongs to a change and not to the day.
 * Fresh cases are tried by `npm run soak -- properties`, which gives a seed of its own each round and prints it.
 * A property that names its seed, or a failure's, keeps it.
 */
const DEFAULT_SEED = 20_261_123;

const given = process.env.POLLUX_PROPERTY_SEED ?? String(DEFAULT_SEED);
const seed = Number(given);
if (!Number.isInteger(seed)) throw new Error(`POLLUX_PROPERTY_SEED: an integer, not "${given}"`);
configureGlobal({ seed });
