import { loadNativeKernels } from '../native/native-kernels.ts';
import { createReferenceLoops, type DenseLoops } from './dense-loops.ts';
import { createNativeLoops } from './native-loops.ts';

const native = await loadNativeKernels();

/** The loops that decoders use when the caller names none. Their memory is scratch of one synchronous call. */
export const CHOSEN_LOOPS: DenseLoops =
  native === null ? createReferenceLoops() : createNativeLoops(native);
