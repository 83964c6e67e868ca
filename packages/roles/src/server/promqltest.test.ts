import { promqltestOverDatabases } from './testing/promqltest-suite.ts';

promqltestOverDatabases('kernels in WebAssembly');
