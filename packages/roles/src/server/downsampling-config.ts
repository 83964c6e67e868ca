import { type Decoder, list, object, optional, parsed, refuse, required } from '@pollux/config';
import { parseDuration } from '@pollux/model';
import { type DownsamplingRule, wrongRule } from '@pollux/tsdb';

const entries = list(
  object({
    resolution: required(parsed(parseDuration)),
    after: optional(parsed(parseDuration), 0),
    retention: optional(parsed(parseDuration), 0),
  }),
);

/**
 * `storage.tsdb.downsampling`, beyond Prometheus: in which resolutions data are kept beside the samples, and for how long
 * (0, the default, is for ever). `{resolution: 5m, after: 1d, retention: 2y}`.
 */
export const downsamplingRules: Decoder<readonly DownsamplingRule[]> = (node, path, context) => {
  const rules = entries(node, path, context).map(
    ({ resolution, after, retention }): DownsamplingRule => ({
      resolutionMs: resolution,
      afterMs: after,
      retentionMs: retention,
    }),
  );
  const wrong = wrongRule(rules);
  if (wrong === null) return rules;
  const place = node.kind === 'list' ? (node.items[wrong.index] ?? node) : node;
  return refuse(place, `${path}[${wrong.index}]`, wrong.what);
};
