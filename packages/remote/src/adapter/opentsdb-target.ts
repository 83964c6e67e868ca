import type { Net } from '@pollux/base';
import { isLegacyLabelName, type Labels, METRIC_NAME } from '@pollux/model';
import { postSamples } from './ask-target.ts';
import { opentsdbText } from './escaped-text.ts';
import { addressOf } from './target-address.ts';
import type { TextTarget } from './text-target.ts';

export type OpentsdbOptions = {
  readonly net: Net;
  /** Its path is not looked at. */
  readonly url: string;
  readonly timeoutMs: number;
};

/** Samples as JSON to `/api/put`. Times are in milliseconds, which OpenTSDB tells from seconds by their digits. */
export class OpentsdbTarget implements TextTarget {
  readonly name = 'opentsdb';
  readonly #options: OpentsdbOptions;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: OpentsdbOptions) {
    const { url, headers } = addressOf('opentsdb-url', options.url);
    this.#options = options;
    this.#url = new URL('/api/put', url).href;
    this.#headers = { ...headers, 'content-type': 'application/json' };
  }

  head(labels: Labels): string {
    const tags: Record<string, string> = {};
    for (const [name, value] of labels) {
      if (name === METRIC_NAME) continue;
      // Prometheus' old names are OpenTSDB's as well.
      tags[isLegacyLabelName(name) ? name : opentsdbText(name)] = opentsdbText(value);
    }
    const metric = opentsdbText(labels.get(METRIC_NAME));
    return JSON.stringify({ metric, tags }).slice(0, -1);
  }

  sample(head: string, timestampMs: number, value: number): string {
    return `${head},"timestamp":${timestampMs},"value":${value}},`;
  }

  send(samples: string): Promise<void> {
    const { net, timeoutMs } = this.#options;
    const body = `[${samples.slice(0, -1)}]`;
    const request = { url: this.#url, headers: this.#headers, body, timeoutMs };
    return postSamples(net, { name: this.name, ...request });
  }
}
