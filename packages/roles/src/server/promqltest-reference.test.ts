import { expect, it, vi } from 'vitest';
import { QuickFiles } from '../../../tsdb/src/testing/quick-files.ts';
import { promqltestOverDatabases } from './testing/promqltest-suite.ts';

const { load } = vi.hoisted(() => ({ load: vi.fn(() => Promise.resolve(null)) }));
// As where the kernels were not built, or the runtime has no SIMD.
vi.mock('../../../kernels/src/native/native-kernels.ts', () => ({ loadNativeKernels: load }));

promqltestOverDatabases('kernels in TypeScript', new QuickFiles());

it('has run without kernels in WebAssembly', () => expect(load).toHaveBeenCalled());
