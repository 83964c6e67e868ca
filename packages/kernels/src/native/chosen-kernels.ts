import { loadNativeKernels } from './native-kernels.ts';

/** The WebAssembly twins of this process, or null: then the references run. */
export const CHOSEN_KERNELS = await loadNativeKernels();
