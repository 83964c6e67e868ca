import type { MatcherMode } from '@pollux/alertmanager';
import { InputError } from '@pollux/base';

/** Features of the Alertmanager 0.34 and of its amtool. The last two are of Go, or of a part that is not served. */
export const FEATURE_NAMES = [
  'alert-names-in-metrics',
  'receiver-name-in-metrics',
  'group-key-in-metrics',
  'classic-mode',
  'utf8-strict-mode',
  'auto-gomemlimit',
  'event-recorder',
] as const;

export type Feature = (typeof FEATURE_NAMES)[number];

/** Of `--enable-feature=a,b`. Throws InputError for a name that is none, and for two that exclude each other. */
export function featuresOf(list: string): ReadonlySet<Feature> {
  const features = new Set<Feature>();
  for (const name of list === '' ? [] : list.split(',')) {
    if (!isFeature(name)) throw refused(`unknown option '${name}' for --enable-feature`);
    features.add(name);
  }
  if (features.has('classic-mode') && features.has('utf8-strict-mode'))
    throw refused('cannot have both classic and UTF-8 modes enabled');
  return features;
}

export function matcherModeOf(features: ReadonlySet<Feature>): MatcherMode {
  if (features.has('classic-mode')) return 'classic';
  return features.has('utf8-strict-mode') ? 'utf8' : 'fallback';
}

function isFeature(name: string): name is Feature {
  return (FEATURE_NAMES as readonly string[]).includes(name);
}

function refused(message: string): InputError {
  return new InputError('ROLES.FEATURE', '', message);
}
