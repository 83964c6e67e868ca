import type { Net } from '@pollux/base';
import { type Labels, METRIC_NAME } from '@pollux/model';
import { postSamples } from './ask-target.ts';
import type { InfluxPlace } from './influx-place.ts';
import type { TextTarget } from './text-target.ts';

export type InfluxTargetOptions = {
  readonly net: Net;
  readonly place: InfluxPlace;
  readonly timeoutMs: number;
};

/** A line ends with its first line break, and a backslash before what must be escaped cannot be told from the escape. */
const NOT_WRITABLE = /\n|\\(?=[,= ]|$)/;

/** Samples as line protocol: the metric is the measurement, labels are tags, and the field is `value`. */
export class InfluxTarget implements TextTarget {
  readonly name = 'influxdb';
  readonly #options: InfluxTargetOptions;

  constructor(options: InfluxTargetOptions) {
    this.#options = options;
  }

  head(labels: Labels): string | null {
    const metric = labels.get(METRIC_NAME);
    // A line that begins so is a comment.
    if (metric.startsWith('#') || NOT_WRITABLE.test(metric)) return null;
    let head = metric.replace(/[, ]/g, '\\$&');
    for (const [name, value] of labels) {
      if (name === METRIC_NAME) continue;
      if (NOT_WRITABLE.test(name) || NOT_WRITABLE.test(value)) return null;
      head += `,${escapedTag(name)}=${escapedTag(value)}`;
    }
    return `${head} value=`;
  }

  sample(head: string, timestampMs: number, value: number): string {
    return `${head}${value} ${timestampMs}\n`;
  }

  send(samples: string): Promise<void> {
    const { net, place, timeoutMs } = this.#options;
    const request = { url: place.writeUrl, headers: place.writeHeaders, body: samples, timeoutMs };
    return postSamples(net, { name: this.name, ...request });
  }
}

function escapedTag(text: string): string {
  return text.replace(/[,= ]/g, '\\$&');
}
