import type { HttpResponse } from '@pollux/base';
import { text } from '@pollux/http';
import type { Counter, Registry } from '@pollux/telemetry';

/** Keeps the number of reads that are answered at once below a bound; over it 503. */
export class ConcurrencyLimit {
  readonly #capacity: number;
  readonly #exceeded: Counter;
  #running = 0;

  constructor(capacity: number, registry: Registry) {
    this.#capacity = capacity;
    registry.collect(() => [
      {
        name: 'alertmanager_http_requests_in_flight',
        help: 'Current number of HTTP requests being processed.',
        type: 'gauge',
        samples: [{ suffix: '', labels: ['method', 'get'], value: this.#running }],
      },
    ]);
    this.#exceeded = registry
      .counters(
        'alertmanager_http_concurrency_limit_exceeded_total',
        'Total number of times an HTTP request failed because the concurrency limit was reached.',
        ['method'],
      )
      .with('get');
  }

  async run(handler: () => Promise<HttpResponse>): Promise<HttpResponse> {
    if (this.#running >= this.#capacity) {
      this.#exceeded.inc();
      return text(
        503,
        `Limit of concurrent GET requests reached (${this.#capacity}), try again later; raise --web.get-concurrency.\n`,
      );
    }
    this.#running++;
    try {
      return await handler();
    } finally {
      this.#running--;
    }
  }
}
