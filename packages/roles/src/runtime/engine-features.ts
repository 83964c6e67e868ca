import type { EngineFeatures } from '@pollux/promql';
import type { Log } from '@pollux/telemetry';

/** Prometheus' feature flags that change what queries mean. */
const ENGINE_FEATURES: ReadonlyMap<string, keyof EngineFeatures> = new Map([
  ['promql-experimental-functions', 'experimentalFunctions'],
  ['promql-extended-range-selectors', 'extendedRangeSelectors'],
  ['promql-binop-fill-modifiers', 'fillModifiers'],
  ['promql-delayed-name-removal', 'delayedNameRemoval'],
  ['promql-per-step-stats', 'perStepStats'],
  ['use-start-timestamps', 'useStartTimestamps'],
]);

/** Start timestamps of scrapes are taken, and protobuf, which has them for all types, is asked for first. */
export const START_TIMES = 'created-timestamp-zero-ingestion';

/** On in every 3.14 and here; old unit files still name them. */
const ALWAYS_ON: ReadonlySet<string> = new Set([
  'exemplar-storage',
  'native-histograms',
  'ooo-native-histograms',
  'promql-duration-expr',
]);

/** Whether `--enable-feature=a,b` names the feature. */
export function hasFeature(lists: readonly string[], name: string): boolean {
  return lists.some((list) => list.split(',').includes(name));
}

/** What `--enable-feature=a,b` switches on. An unknown name is told and left alone, as Prometheus does. */
export function engineFeatures(lists: readonly string[], log: Log): EngineFeatures {
  const features: { -readonly [K in keyof EngineFeatures]: boolean } = {};
  for (const name of lists.flatMap((list) => list.split(','))) {
    const feature = ENGINE_FEATURES.get(name);
    if (feature !== undefined) features[feature] = true;
    else if (name !== '' && name !== START_TIMES && !ALWAYS_ON.has(name))
      log.warn('unknown option for --enable-feature', { option: name });
  }
  return features;
}
