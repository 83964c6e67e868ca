import { createReferenceLoops, type DenseLoops } from './dense-loops.ts';

/** The loops that decoders use when the caller names none. Their memory is scratch of one synchronous call. */
export const CHOSEN_LOOPS: DenseLoops = createReferenceLoops();
