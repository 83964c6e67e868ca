import {
  isLegacyLabelName,
  isLegacyMetricName,
  type Labels,
  LabelsBuilder,
  METRIC_NAME,
  relabel,
} from '@pollux/model';
import type { ScrapeConfig } from './config.ts';
import { ScrapeError } from './errors.ts';

const EXPORTED_PREFIX = 'exported_';

/**
 * The labels under which a scraped series is stored: the target's labels come on top (or only fill in, with
 * `honor_labels`), then metric relabelling. Null when relabelling drops the series. Throws ScrapeError on invalid names.
 */
export function storedLabels(scraped: Labels, target: Labels, config: ScrapeConfig): Labels | null {
  const merged = config.honorLabels ? fillIn(scraped, target) : override(scraped, target);
  const labels = relabel(merged, config.metricRelabelSteps);
  if (labels === null || labels.isEmpty) return null;
  checkNames(labels, config);
  return labels;
}

/** Labels of the series that the scrape itself makes: `up` and its like. */
export function reportLabels(name: string, target: Labels): Labels {
  const builder = new LabelsBuilder(target);
  return builder.set(METRIC_NAME, name).build();
}

/** Throws ScrapeError when the series is over one of the label limits. */
export function checkLabelLimits(labels: Labels, config: ScrapeConfig): void {
  const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = config;
  if (labelLimit > 0 && labels.size > labelLimit) {
    throw new ScrapeError(
      'SCRAPE.LABEL_LIMIT',
      `label_limit exceeded (metric: "${labels.metricName}", number of labels: ${labels.size}, limit: ${labelLimit})`,
    );
  }
  if (labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return;
  for (const [name, value] of labels) {
    const nameLength = Buffer.byteLength(name);
    if (labelNameLengthLimit > 0 && nameLength > labelNameLengthLimit) {
      throw new ScrapeError(
        'SCRAPE.LABEL_LIMIT',
        `label_name_length_limit exceeded (metric: "${labels.metricName}", label name: "${name}", length: ${nameLength}, limit: ${labelNameLengthLimit})`,
      );
    }
    const valueLength = Buffer.byteLength(value);
    if (labelValueLengthLimit > 0 && valueLength > labelValueLengthLimit) {
      throw new ScrapeError(
        'SCRAPE.LABEL_LIMIT',
        `label_value_length_limit exceeded (metric: "${labels.metricName}", label name: "${name}", length: ${valueLength}, limit: ${labelValueLengthLimit})`,
      );
    }
  }
}

function fillIn(scraped: Labels, target: Labels): Labels {
  const builder = new LabelsBuilder(scraped);
  for (const [name, value] of target) if (!scraped.has(name)) builder.set(name, value);
  return builder.build();
}

/** A scraped label that the target also has is kept as `exported_…`, with as many prefixes as it takes to be free. */
function override(scraped: Labels, target: Labels): Labels {
  const builder = new LabelsBuilder(scraped);
  const displaced: [string, string][] = [];
  for (const [name, value] of target) {
    const own = scraped.get(name);
    if (own !== '') displaced.push([name, own]);
    builder.set(name, value);
  }
  for (const [name, value] of displaced) {
    let free = EXPORTED_PREFIX + name;
    while (builder.get(free) !== '') free = EXPORTED_PREFIX + free;
    builder.set(free, value);
  }
  return builder.build();
}

function checkNames(labels: Labels, config: ScrapeConfig): void {
  if (!labels.has(METRIC_NAME))
    throw new ScrapeError('SCRAPE.NO_METRIC_NAME', 'metric name label is missing or empty');
  if (config.nameValidation === 'utf8') return;
  for (const [name, value] of labels) {
    const isValid = name === METRIC_NAME ? isLegacyMetricName(value) : isLegacyLabelName(name);
    if (!isValid) {
      throw new ScrapeError(
        'SCRAPE.INVALID_NAME',
        `invalid metric name or label names: ${labels.toMetricString()}`,
      );
    }
  }
}
