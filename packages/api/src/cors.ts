import type { HttpResponse } from '@pollux/base';
import { Pattern } from '@pollux/model';

const ALLOWED = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-expose-headers': 'Date',
} as const;

/** Which web pages of other origins may read answers; `--web.cors.origin`, anchored, `.*` allows all. */
export class CorsPolicy {
  readonly #pattern: Pattern;

  /** Throws PatternError when the expression is no RE2. */
  constructor(originPattern = '.*') {
    this.#pattern = new Pattern(originPattern);
  }

  /** The answer with the headers that this request's origin calls for. */
  apply(response: HttpResponse, origin: string | undefined): HttpResponse {
    if (origin === undefined || origin === '') return response;
    const allowed = this.#allowedOrigin(origin);
    return {
      ...response,
      headers: {
        ...response.headers,
        ...ALLOWED,
        ...(allowed === null ? {} : { 'access-control-allow-origin': allowed }),
      },
    };
  }

  #allowedOrigin(origin: string): string | null {
    if (this.#pattern.source === '.*') return '*';
    return this.#pattern.matches(origin) ? origin : null;
  }
}
