/**
 * Put before every text so that the short variables are there. Its length shows in the columns of error texts, which is
 * why it is spelled as Prometheus spells it.
 */
export const TEMPLATE_PRELUDE =
  '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}';
