import type { HttpClientRequest } from '@pollux/base';
import { decodeLabels, decodeWriteRequest, snappyDecode } from '../index.ts';

export type Answer =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | 'unreachable';

/** An endpoint that keeps what it acknowledged. */
export class Endpoint {
  readonly requests: HttpClientRequest[] = [];
  /** Per series: `time=value` in order of arrival. */
  readonly got = new Map<string, string[]>();
  metadataCount = 0;
  answer: (request: HttpClientRequest) => Answer = () => ({ status: 204 });

  async take(request: HttpClientRequest) {
    this.requests.push(request);
    const answer = this.answer(request);
    if (answer === 'unreachable') throw new Error('connect ECONNREFUSED');
    if (answer.status < 300) await this.#keep(request.body as Uint8Array);
    return {
      status: answer.status,
      headers: answer.headers ?? {},
      body: new TextEncoder().encode(`status ${answer.status}\nmore`),
    };
  }

  samples(series: string): string[] {
    return this.got.get(series) ?? [];
  }

  async #keep(body: Uint8Array): Promise<void> {
    const request = decodeWriteRequest(await snappyDecode(body));
    this.metadataCount += request.metadata.length;
    for (let j = 0; j < request.sampleCount; j++) {
      const series = request.sampleSeries[j]!;
      const { labelData, labelStarts, labelEnds } = request;
      const { labels } = decodeLabels(labelData, labelStarts[series]!, labelEnds[series]!);
      const key = labels.toMetricString();
      const list = this.got.get(key) ?? [];
      list.push(`${request.timestampsMs[j]}=${request.values[j]}`);
      this.got.set(key, list);
    }
  }
}
