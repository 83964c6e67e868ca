import { QuickFiles } from '../../../tsdb/src/testing/quick-files.ts';
import { promqltestOverDatabases } from './testing/promqltest-suite.ts';

promqltestOverDatabases('kernels in WebAssembly', new QuickFiles());
