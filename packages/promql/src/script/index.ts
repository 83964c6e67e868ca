export { type MemorySample, MemorySeries } from './memory-series.ts';
export { type ScriptMode, scriptEngine } from './mode.ts';
export { runScript, type ScriptEngine, type ScriptFailure, type ScriptReport } from './run.ts';
export { ScriptError } from './script-error.ts';
