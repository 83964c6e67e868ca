import type { Clock } from '@pollux/base';
import { type Log, Registry } from '@pollux/telemetry';
import { Engine, type EngineFeatures } from '../engine.ts';
import { parseExpr } from '../parser/parser.ts';
import { isIndependentOfQueryTimes, pinSelectors } from '../parser/pin-selectors.ts';
import { printExpr } from '../parser/printer.ts';
import type { QueryWorkers } from '../workers/query-workers.ts';
import type { ScriptEngine } from './run.ts';

/** `test`: everything on, as Prometheus runs its own scripts. `production`: what a server without flags does. */
export type ScriptMode = 'test' | 'production';

const FEATURES: Readonly<Record<ScriptMode, EngineFeatures>> = {
  production: {},
  test: {
    experimentalFunctions: true,
    durationExpressions: true,
    extendedRangeSelectors: true,
    fillModifiers: true,
    delayedNameRemoval: true,
    useStartTimestamps: true,
  },
};
/** Prometheus' own scripts count on it. */
const MAX_SAMPLES_IN_TESTS = 10_000;

/** An engine to run scripts on; `features` are added to those of the mode. */
export function scriptEngine(
  mode: ScriptMode,
  settings: {
    readonly clock: Clock;
    readonly log: Log;
    readonly features?: EngineFeatures;
    readonly workers?: QueryWorkers;
  },
): ScriptEngine {
  const features = { ...FEATURES[mode], ...settings.features };
  const engine = new Engine({
    clock: settings.clock,
    log: settings.log,
    registry: new Registry(),
    ...(mode === 'test' ? { maxSamples: MAX_SAMPLES_IN_TESTS } : {}),
    features,
    ...(settings.workers === undefined ? {} : { workers: settings.workers }),
  });
  return {
    instant: (query, timeMs, queryable) => engine.instant({ query, timeMs, queryable }),
    range: (query, times, queryable) => engine.range({ query, ...times, queryable }),
    pinned: (query, timeMs) => {
      const pinned = pinSelectors(parseExpr(query, features), timeMs);
      return pinned === null ? null : printExpr(pinned);
    },
    isRepeatable: (query) => isIndependentOfQueryTimes(parseExpr(query, features)),
  };
}
