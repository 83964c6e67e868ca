import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import { createReferenceLoops, type DenseLoops } from './dense-loops.ts';
import { createNativeLoops } from './native-loops.ts';

/** The loops that decoders use when the caller names none. Their memory is scratch of one synchronous call. */
export const CHOSEN_LOOPS: DenseLoops =
  CHOSEN_KERNELS === null ? createReferenceLoops() : createNativeLoops(CHOSEN_KERNELS);
