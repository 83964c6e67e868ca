// The first module of a thread when the program runs from its sources, as tests and benchmarks do: threads do not inherit
// the loader of TypeScript. Not part of the built program.
import { register } from 'tsx/esm/api';

register();
await import('./thread-main.ts');
